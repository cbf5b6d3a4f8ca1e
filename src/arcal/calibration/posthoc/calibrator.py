"""What every post-hoc calibrator takes and gives."""

from typing import Protocol

from torch import Tensor

from arcal.calibration._checks import as_classes, as_probabilities
from arcal.errors import ArcalError


class Calibrator(Protocol):
    """A fitted map from log-probabilities `(N, Z)` to calibrated ones, float64 `(N, Z)`.

    It sees one row at a time and no label. Of an ensemble it takes the log of the averaged
    probabilities, what `average` gives: the ensemble is calibrated, not its members.
    """

    def __call__(self, log_probabilities: Tensor, /) -> Tensor: ...


def as_log_probabilities(log_probabilities: Tensor) -> Tensor:
    """Logarithms `(N, Z)` of rows that sum to 1, as float64; -inf is a class that cannot be."""
    log_probabilities = log_probabilities.detach().cpu().double()
    as_probabilities(
        log_probabilities.exp(), name="exp(log_probabilities)", remedy="pass a log-softmax"
    )
    return log_probabilities.log_softmax(1)  # takes off what float32 left of the sum


def as_examples(log_probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """What can be fitted on: finite logarithms `(N, Z)`, and labels of two classes or more."""
    log_probabilities = as_log_probabilities(log_probabilities)
    N, Z = log_probabilities.shape
    labels = as_classes(labels, N, Z)
    infinite = log_probabilities.isinf().any(1)
    if infinite.any():
        raise ArcalError(
            f"log_probabilities of input {int(infinite.nonzero()[0])} hold -inf: pass the "
            "log-softmax, not the logarithm of probabilities that underflowed"
        )
    if len(labels.unique()) < 2:
        raise ArcalError(
            f"{N} validation inputs of fewer than two classes calibrate nothing: pass more"
        )
    return log_probabilities, labels
