"""Temperature scaling (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks)."""

from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.posthoc.calibration_set import LogProbabilities, as_calibration_set
from arcal.calibration.posthoc.calibrator import Calibrator, fitted
from arcal.errors import ArcalError


class Temperature(Calibrator):
    """log q = log p / T + constant: T above 1 makes a classifier less sure, T below 1 more so.

    No class overtakes another, so predictions and accuracy stay as they are. `T`, a number or a
    scalar tensor, is kept as a scalar tensor; one that is not above 0 raises `ArcalError`.

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

    def calibrate(self, log_p: Tensor) -> Tensor:
        return (log_p / self.T).log_softmax(1)

    def extra_repr(self) -> str:
        return f"T={self.T:.4g}"


def as_temperature(T: float | Tensor) -> Tensor:
    """A scalar above 0 for a buffer."""
    scalar = fitted(T, "T", ndim=0)
    if scalar <= 0:
        raise ArcalError(f"T must be above 0, not {scalar:g}: 1 leaves predictions as they are")
    return scalar


def fit_temperature(
    log_p: LogProbabilities, labels: TensorLike, *, weights: TensorLike | None = None
) -> Temperature:
    """The temperature with the lowest NLL of `labels` `(N,)`, from log-probabilities `(N, Z)`.

    `weights` `(N,)`, 0 or more, say how much each input counts, here as in every other fit.

    The NLL is convex in beta = 1/T: its slope is the mean over inputs of E_p[z] - z_label, and its
    curvature the mean of Var_p[z], with p = softmax(beta z). So there is one optimum, and Newton's
    method within a bracket finds beta to a relative 1e-10. There is none, and `ArcalError` is
    raised, if no input has a class above its label (the NLL falls as T goes to 0), if all classes
    are equally probable everywhere, or if the uniform distribution is as good as any temperature.

    >>> import torch
    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4, 2)
    >>> fit_temperature(log_p, torch.tensor([0, 0, 0, 1]))  # right 3 times in 4
    Temperature(T=2)
    """
    return Temperature(as_calibration_set(log_p, labels, weights).T)
