"""Temperature scaling (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks)."""

import torch
from torch import Tensor

from arcal.arrays import TensorLike, row_blocks
from arcal.calibration.posthoc.calibrator import Calibrator, as_examples, fitted
from arcal.errors import ArcalError

TOLERANCE = 1e-10
STEPS = 200
CONSTANT = 1e-9
"""Log-probabilities that differ by less are equal, but for rounding."""


class Temperature(Calibrator):
    """log q = log p / T + constant: above T = 1 a classifier becomes less sure, below more so.

    No class overtakes another, so predictions and accuracy stay as they are. `T`, a number or a
    scalar tensor, is kept as a scalar tensor; what is not above 0 raises `ArcalError`.

    >>> import torch
    >>> scaled = Temperature(2.0)(torch.tensor([[0.9, 0.1]]).log())
    >>> scaled.exp()  # 3 : 1, where it was 9 : 1
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    kind = "temperature"
    keeps_order = True
    T: Tensor

    def __init__(self, T: float | Tensor):
        super().__init__(T=as_temperature(T))

    def calibrate(self, log_p: Tensor, robustness: Tensor | None) -> Tensor:
        return (log_p / self.T).log_softmax(1)

    def extra_repr(self) -> str:
        return f"T={self.T:.4g}"


def as_temperature(T: float | Tensor) -> Tensor:
    """A scalar above 0 for a buffer."""
    scalar = fitted(T, "T", ndim=0)
    if scalar <= 0:
        raise ArcalError(f"T must be above 0, not {scalar:g}: 1 leaves predictions as they are")
    return scalar


def fit_temperature(log_p: TensorLike, labels: TensorLike) -> Temperature:
    """The temperature with the lowest NLL of `labels` `(N,)`, from log-probabilities `(N, Z)`.

    The NLL is convex in beta = 1/T: its slope is the mean over inputs of E_p[z] - z_label, and its
    curvature the mean of Var_p[z], with p = softmax(beta z). So there is one optimum, and Newton's
    method within a bracket finds it, beta to a relative 1e-10. There is none, and `ArcalError` is
    raised, if no input has a class above its label (the NLL falls as T goes to 0), if all classes
    are equally probable everywhere, or if the uniform distribution is as good as any temperature.

    >>> import torch
    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4, 2)
    >>> fit_temperature(log_p, torch.tensor([0, 0, 0, 1]))  # right 3 times in 4
    Temperature(T=2)
    """
    z, labels = as_examples(log_p, labels)
    labelled, N = z.gather(1, labels[:, None])[:, 0], len(labels)
    highest = z.amax(1)
    if (highest - z.amin(1)).max() < CONSTANT:
        raise ArcalError(
            f"all classes are equally probable for each of {N} validation inputs, so that no "
            "temperature changes anything: look at the model"
        )
    if (labelled == highest).all():
        right = int((z.argmax(1) == labels).sum())
        which = f"all {N}" if right == N else f"{right} of {N}"
        ties = "" if right == N else " and the others are ties with their label"
        raise ArcalError(
            f"{which} validation inputs are classified correctly{ties}, so the NLL has no lowest "
            "temperature: pass more inputs, some of them misclassified"
        )
    if (z.mean(1) - labelled).mean() >= 0:
        raise ArcalError(
            f"no temperature is better than the uniform distribution for {N} validation "
            "inputs: train longer, or check that the labels are theirs"
        )

    mean, variance = torch.empty(2, N, dtype=torch.float64)

    def derivatives(beta: float) -> tuple[Tensor, Tensor]:
        for some in row_blocks(*z.shape):
            p = (beta * z[some]).softmax(1)
            mean[some] = (p * z[some]).sum(1)
            variance[some] = (p * (z[some] - mean[some, None]).square()).sum(1)
        return (mean - labelled).mean(), variance.mean()

    low, beta = 0.0, 1.0
    while derivatives(beta)[0] < 0:
        low, beta = beta, 2 * beta
    high = beta
    for _ in range(STEPS):
        slope, curvature = derivatives(beta)
        low, high = (beta, high) if slope < 0 else (low, beta)
        last, beta = beta, (beta - slope / curvature).item()
        if not low <= beta <= high:
            beta = (low + high) / 2
        if abs(beta - last) <= TOLERANCE * beta:
            break
    return Temperature(1 / beta)
