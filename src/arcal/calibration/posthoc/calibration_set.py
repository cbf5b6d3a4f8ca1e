"""What calibrators are fitted to, checked once for all of them."""

from functools import cached_property

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_classes, as_weights
from arcal.calibration.posthoc._scaled import Tempered, best_temperature
from arcal.calibration.posthoc.calibrator import as_log_probabilities
from arcal.calibration.weighted import weighted_deviation, weighted_mean
from arcal.errors import ArcalError


class CalibrationSet:
    """Log-probabilities `(N, Z)` and labels `(N,)`, with intermediate results that fits share.

    Every fit takes a set and its `labels` in place of log-probabilities and labels, and returns the
    same calibrator without repeating what another fit has computed. `log_p` are float64 and
    normalised, as `average` gives them; `as_calibration_set` checks others. `weights` `(N,)`, 0 or
    more, say how much each input counts. Inputs of weight 0 are left out of `log_p` and `labels`,
    and the other weights are scaled to a sum of n, the effective number `(sum w)^2 / sum w^2`,
    which a penalty is weighed against.

    >>> from arcal.calibration.posthoc import POSTHOC, as_calibration_set
    >>> given = as_calibration_set(torch.tensor([[0.9, 0.1]] * 4).log(), torch.tensor([0, 0, 0, 1]))
    >>> [POSTHOC[name](given, given.labels) for name in ("temperature", "irm")]
    [Temperature(T=2), MultiClassIsotonic(knots=2)]
    """

    def __init__(self, log_p: Tensor, labels: Tensor, weights: Tensor | None = None):
        self.inputs: int = len(log_p)
        self.counted: Tensor = torch.arange(self.inputs, device="cpu")
        with torch.inference_mode(False):  # fits need gradients
            self.log_p: Tensor = log_p.clone() if log_p.is_inference() else log_p
            self.labels: Tensor = labels.clone() if labels.is_inference() else labels
            self.weights: Tensor = as_weights(weights, self.inputs)
            self.weighted: bool = weights is not None
            if not self.weights.all():
                self.counted = self.weights.nonzero()[:, 0]
                rows = (self.log_p, self.labels, self.weights)
                self.log_p, self.labels, self.weights = (one[self.counted] for one in rows)
            if self.weighted:
                w = self.weights
                self.weights = w * (w.sum() / w.square().sum())

    def __len__(self) -> int:
        return len(self.log_p)

    @property
    def n(self) -> float:
        """The sum of the weights: the effective number of inputs, N if all count alike."""
        return self.weights.sum().item()

    def mean(self, values: Tensor) -> Tensor:
        """The weighted mean over inputs of values `(N,)`, or of each column `(N, F)`."""
        return weighted_mean(values, self.weights)

    def deviation(self, values: Tensor) -> Tensor:
        """The weighted standard deviation of values `(N,)`, or of each column `(N, F)`."""
        return weighted_deviation(values, self.weights)

    @cached_property
    def possible(self) -> tuple[Tensor, Tensor, Tensor]:
        """The log-probabilities and labels without masked classes, and which classes are left.

        A class is masked if it is -inf in every row. Labels `(N,)` are renumbered without masked
        classes, and `classes` `(Z',)` are the old numbers. A label of a masked class, and no
        inputs, raise `ArcalError`.
        """
        log_p, labels = self.log_p, self.labels
        if len(self) == 0:
            raise ArcalError("there are 0 validation inputs to fit to: pass some")
        masked = log_p.amax(0) == -torch.inf
        classes = (~masked).nonzero()[:, 0]
        if masked.any():
            hidden = masked[labels]
            if hidden.any():
                row = int(hidden.nonzero()[0])
                raise ArcalError(
                    f"the label {int(labels[row])} of input {int(self.counted[row])} is of a class "
                    "that is -inf in every row: leave such inputs out"
                )
            log_p, labels = log_p[:, classes], ((~masked).cumsum(0) - 1)[labels]
        return log_p, labels, classes

    @cached_property
    def finite(self) -> tuple[Tensor, Tensor]:
        """The log-probabilities and labels of `possible`; any -inf in them raises `ArcalError`."""
        log_p, labels, _ = self.possible
        if log_p.amin() == -torch.inf:
            row = int(log_p.isinf().any(1).nonzero()[0])
            raise ArcalError(
                f"log_p of input {int(self.counted[row])} hold -inf: pass the log-softmax, not the "
                "logarithm of probabilities that underflowed"
            )
        return log_p, labels

    @cached_property
    def T(self) -> float:
        """The temperature with the lowest NLL; errors are those of `fit_temperature`."""
        return best_temperature(*self.finite, self.weights)

    @cached_property
    def tempered(self) -> Tempered:
        """The losses at temperatures that differ from input to input."""
        return Tempered(*self.finite)


LogProbabilities = TensorLike | CalibrationSet
"""What a calibrator is fitted to."""


def as_calibration_set(
    log_p: LogProbabilities, labels: TensorLike, weights: TensorLike | None = None
) -> CalibrationSet:
    """A checked set of log-probabilities `(N, Z)`, labels and weights `(N,)`; a set as it is.

    Rows that do not sum to 1, nan, labels that are not classes, negative weights, and a set with
    other labels than its own, or with weights, raise `ArcalError`.

    >>> given = as_calibration_set(torch.tensor([[0.9, 0.1]] * 4).log(), [0, 0, 0, 1])
    >>> round(given.T, 4), as_calibration_set(given, given.labels) is given
    (2.0, True)
    """
    if isinstance(log_p, CalibrationSet):
        if labels is not log_p.labels or weights is not None:
            raise ArcalError(
                "labels and weights of a calibration set are its own: pass set.labels alone"
            )
        return log_p
    with torch.inference_mode(False):
        log_p = as_log_probabilities(log_p)
        N, Z = log_p.shape
        w = None if weights is None else as_weights(weights, N)
        return CalibrationSet(log_p, as_classes(labels, N, Z), w)
