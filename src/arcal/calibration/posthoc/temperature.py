"""Temperature scaling (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks)."""

from dataclasses import dataclass

from torch import Tensor

from arcal.calibration.posthoc.calibrator import as_examples, as_log_probabilities
from arcal.errors import ArcalError

TOLERANCE = 1e-10
STEPS = 200


@dataclass(frozen=True)
class Temperature:
    """Logits over `T` > 0: above 1 a classifier becomes less sure, below 1 more so.

    No class overtakes another, so predictions and accuracy stay as they are.
    """

    T: float

    def __call__(self, log_probabilities: Tensor) -> Tensor:
        """Calibrated log-probabilities, float64 `(N, Z)`."""
        return (as_log_probabilities(log_probabilities) / self.T).log_softmax(1)


def fit_temperature(log_probabilities: Tensor, labels: Tensor) -> Temperature:
    """The temperature with the lowest NLL of `labels` `(N,)`, from log-probabilities `(N, Z)`.

    The NLL is convex in beta = 1/T: its slope is the mean over inputs of E_p[z] - z_label, and its
    curvature the mean of Var_p[z], with p = softmax(beta z). So there is one optimum, and Newton's
    method within a bracket finds it, beta to a relative 1e-10. There is none, and `ArcalError` is
    raised, if every input is classified correctly (the NLL falls as T goes to 0) or if the uniform
    distribution is as good as any temperature.
    """
    z, labels = as_examples(log_probabilities, labels)
    of_label = z.gather(1, labels[:, None])[:, 0]
    if (of_label == z.amax(1)).all():
        raise ArcalError(
            f"all {len(labels)} validation inputs are classified correctly, so the NLL has no "
            "lowest temperature: pass more inputs, some of them misclassified"
        )
    if (z.mean(1) - of_label).mean() >= 0:
        raise ArcalError(
            f"no temperature is better than the uniform distribution for {len(labels)} validation "
            "inputs: train longer, or check that the labels are theirs"
        )

    def derivatives(beta: float) -> tuple[Tensor, Tensor]:
        p = (beta * z).softmax(1)
        mean = (p * z).sum(1)
        variance = (p * (z - mean[:, None]).square()).sum(1)
        return (mean - of_label).mean(), variance.mean()

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
