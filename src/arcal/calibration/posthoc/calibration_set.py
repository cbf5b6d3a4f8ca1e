"""What calibrators are fitted to, checked once for all of them."""

from functools import cached_property

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_classes
from arcal.calibration.posthoc._scaled import Tempered, best_temperature
from arcal.calibration.posthoc.calibrator import as_log_probabilities
from arcal.errors import ArcalError


class CalibrationSet:
    """Log-probabilities `(N, Z)` and labels `(N,)`, and what several fits need of them.

    Every function that fits a calibrator takes one in place of log-probabilities, with its own
    labels beside it: the same calibrator comes out, without the work that another has done before.
    `log_p` are float64, with rows that sum to 1, as `average` gives them; others are checked by
    `as_calibration_set`.

    >>> from arcal.calibration.posthoc import POSTHOC, as_calibration_set
    >>> given = as_calibration_set(torch.tensor([[0.9, 0.1]] * 4).log(), torch.tensor([0, 0, 0, 1]))
    >>> [POSTHOC[name](given, given.labels) for name in ("temperature", "irm")]
    [Temperature(T=2), MultiClassIsotonic(knots=2)]
    """

    def __init__(self, log_p: Tensor, labels: Tensor):
        with torch.inference_mode(False):  # a fit follows gradients
            self.log_p: Tensor = log_p.clone() if log_p.is_inference() else log_p
            self.labels: Tensor = labels.clone() if labels.is_inference() else labels

    def __len__(self) -> int:
        return len(self.log_p)

    @cached_property
    def finite(self) -> tuple[Tensor, Tensor]:
        """What a map that is the same for all classes is fitted on: finite logarithms and labels.

        A class that is masked, -inf in every row, is left out, and the labels are numbered without
        it. Another -inf, a label that is masked, and no inputs raise `ArcalError`.
        """
        log_p, labels = self.log_p, self.labels
        if len(self) == 0:
            raise ArcalError("0 validation inputs calibrate nothing: pass more")
        if log_p.amin() > -torch.inf:
            return log_p, labels
        masked = log_p.amax(0) == -torch.inf
        if masked.any():
            hidden = masked[labels]
            if hidden.any():
                row = int(hidden.nonzero()[0])
                raise ArcalError(
                    f"the label {int(labels[row])} of input {row} is of a class that is -inf in "
                    "every row: leave such inputs out"
                )
            log_p, labels = log_p[:, ~masked], ((~masked).cumsum(0) - 1)[labels]
        if log_p.amin() == -torch.inf:
            infinite = log_p.isinf().any(1)
            raise ArcalError(
                f"log_p of input {int(infinite.nonzero()[0])} hold -inf: pass the log-softmax, not "
                "the logarithm of probabilities that underflowed"
            )
        return log_p, labels

    @cached_property
    def T(self) -> float:
        """The temperature with the lowest NLL; errors are those of `fit_temperature`."""
        return best_temperature(*self.finite)

    @cached_property
    def tempered(self) -> Tempered:
        """The losses at temperatures that differ from input to input."""
        return Tempered(*self.finite)


LogProbabilities = TensorLike | CalibrationSet
"""What a calibrator is fitted to."""


def as_calibration_set(log_p: LogProbabilities, labels: TensorLike) -> CalibrationSet:
    """Log-probabilities `(N, Z)` and labels `(N,)`, checked; a calibration set as it is.

    Rows that do not sum to 1, nan, labels that are no classes, and another set's labels raise
    `ArcalError`.

    >>> given = as_calibration_set(torch.tensor([[0.9, 0.1]] * 4).log(), [0, 0, 0, 1])
    >>> round(given.T, 4), as_calibration_set(given, given.labels) is given
    (2.0, True)
    """
    if isinstance(log_p, CalibrationSet):
        if labels is not log_p.labels:
            raise ArcalError("the labels of a calibration set are its own: pass set.labels")
        return log_p
    with torch.inference_mode(False):
        log_p = as_log_probabilities(log_p)
        N, Z = log_p.shape
        return CalibrationSet(log_p, as_classes(labels, N, Z))
