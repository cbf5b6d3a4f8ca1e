"""Vector scaling (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks)."""

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.posthoc._linear import (
    Parameters,
    as_linear_examples,
    bounded,
    fit_linear,
)
from arcal.calibration.posthoc.calibration_set import LogProbabilities
from arcal.calibration.posthoc.calibrator import Calibrator, fitted, with_gradients
from arcal.errors import ArcalError

PRIOR = 1.0
"""The strength of the penalty: that of a normal prior with deviation 1 / sqrt(PRIOR)."""


class VectorScaling(Calibrator):
    """log q_j = w_j log p_j + b_j + constant: a scale and an offset for each class.

    It is fitted on log-probabilities and not on logits, which may contain a constant that softmax
    does not see. `w` and `b` are `(Z,)`; predictions of another number of classes raise
    `ArcalError`. It can change predictions, and so accuracy.

    >>> vector = VectorScaling(w=(0.5, 0.5), b=(0.0, 0.0))
    >>> vector(torch.tensor([[0.9, 0.1]]).log()).exp()
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    kind = "vector"
    w: Tensor
    b: Tensor

    def __init__(self, w: tuple[float, ...] | Tensor, b: tuple[float, ...] | Tensor):
        super().__init__(w=fitted(w, "w", ndim=1), b=fitted(b, "b", ndim=1))

    def calibrate(self, log_p: Tensor) -> Tensor:
        if log_p.shape[1] != len(self.w):
            raise ArcalError(
                f"log_p has {log_p.shape[1]} classes, and it was fitted to {len(self.w)}"
            )
        q = self.w.to(log_p) * bounded(log_p) + self.b.to(log_p)
        return q.masked_fill(log_p.isneginf(), -torch.inf).log_softmax(1)

    def extra_repr(self) -> str:
        return f"classes={len(self.w)}"


@with_gradients
def fit_vector(
    log_p: LogProbabilities, labels: TensorLike, *, weights: TensorLike | None = None
) -> VectorScaling:
    """The w and b with the lowest sum of NLL + PRIOR / 2 (sum_j (w_j - mean w)^2 + sum_j b_j^2).

    The penalty pulls the fit towards temperature scaling, as strongly as an input or two; without
    it, there would be no optimum for a class that no input has. Labels `(N,)` of a single class,
    and a label whose log-probability is -inf, raise `ArcalError`.

    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4000, 2)
    >>> fit_vector(log_p, torch.tensor([0, 0, 0, 1] * 1000))(log_p)[0].exp().round(decimals=3)
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    given = as_linear_examples(log_p, labels, weights)
    log_p = given.log_p
    start = Parameters(
        torch.ones(log_p.shape[1], device="cpu").double(),
        torch.zeros(log_p.shape[1], device="cpu").double(),
    )

    def penalty(of: Parameters) -> Tensor:
        return PRIOR / 2 * ((of.W - of.W.mean()).square().sum() + of.b.square().sum())

    def scores(z: Tensor, of: Parameters) -> Tensor:
        return torch.addcmul(of.b, of.W, z)

    def slopes(in_scores: Tensor, z: Tensor) -> Tensor:
        return (in_scores * z).sum(0)

    w, b = fit_linear(log_p, given.labels, given.weights, start, scores, slopes, penalty)
    return VectorScaling(w, b)
