"""A temperature by the energy: energy-based instance-wise scaling, EBS (Kim, Kwon, ECCV 2024)."""

import math

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.posthoc.calibration_set import LogProbabilities, as_calibration_set
from arcal.calibration.posthoc.calibrator import (
    Calibrator,
    as_energy,
    divided,
    fitted,
    with_gradients,
)
from arcal.calibration.posthoc.temperature import as_temperature
from arcal.calibration.weighted import weighted_deviation, weighted_mean
from arcal.errors import ArcalError

LEAST = 0.1
"""The lowest temperature, as a share of T: the paper has no such bound, and may divide by 0."""
LARGEST = 10.0
"""The largest theta, as in the published code, in units of the densities' heights."""


class EnergyScaling(Calibrator):
    """log q = log p / T(E) + constant, with the energy E = -log sum_j exp z_j of the logits z.

    T(E) = T - theta_1 N(E; mean_1, sd_1) + theta_2 N(E; mean_2, sd_2), at least `LEAST` T, with the
    densities of the energies of validation inputs that are classified correctly (1) and wrongly
    (2). `theta` is not negative. Each row is divided by a positive number, so predictions and
    accuracy stay as they are. `T` is a scalar, `mean`, `sd` and `theta` are `(2,)`.

    The energy cannot be computed from probabilities, so it is passed along with them.

    >>> ebs = EnergyScaling(2.0, mean=(-5.0, -2.0), sd=(1.0, 1.0), theta=(0.0, 0.0))
    >>> ebs(torch.tensor([[0.9, 0.1]]).log(), energy=torch.tensor([-3.0])).exp()
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    kind = "ebs"
    keeps_order = True
    needs_energy = True
    T: Tensor
    mean: Tensor
    sd: Tensor
    theta: Tensor

    def __init__(
        self,
        T: float | Tensor,
        mean: tuple[float, float] | Tensor,
        sd: tuple[float, float] | Tensor,
        theta: tuple[float, float] | Tensor,
    ):
        pairs = {"mean": mean, "sd": sd, "theta": theta}
        values = {name: fitted(pair, name, ndim=1) for name, pair in pairs.items()}
        super().__init__(T=as_temperature(T), **values)

    def calibrate_by_energy(self, log_p: Tensor, energy: Tensor) -> Tensor:
        T, theta = self.T.to(log_p), self.theta.to(log_p)
        right, wrong = densities(energy, self.mean.to(log_p), self.sd.to(log_p))
        each = (T - theta[0] * right + theta[1] * wrong).maximum(LEAST * T)
        return divided(log_p, each[:, None])

    def extra_repr(self) -> str:
        return f"T={self.T:.4g}, theta=({self.theta[0]:.4g}, {self.theta[1]:.4g})"


@with_gradients
def fit_ebs(
    log_p: LogProbabilities,
    labels: TensorLike,
    *,
    energy: TensorLike | None = None,
    weights: TensorLike | None = None,
) -> EnergyScaling:
    """T by `fit_temperature`, the densities by moments, then theta by the lowest squared error.

    The paper adds inputs of other classes, if it has any, to the wrong ones; here there are none.
    What `fit_temperature` refuses, a missing `energy` `(N,)`, an energy that is the same for all
    inputs, as it is for probabilities, and no correct input raise `ArcalError`.

    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4, 2)
    >>> energy = torch.tensor([-5.0, -4.0, -5.0, -1.0])
    >>> ebs = fit_ebs(log_p, torch.tensor([0, 0, 0, 1]), energy=energy)
    >>> ebs.mean.round(decimals=2)
    tensor([-4.6700, -1.0000], dtype=torch.float64)
    """
    given = as_calibration_set(log_p, labels, weights)
    E = as_energy(energy, given.inputs, "ebs").detach().cpu().double()[given.counted]
    T = torch.tensor(given.T, dtype=torch.float64, device="cpu")
    if given.deviation(E) < 1e-6 * max(1.0, E.abs().max().item()):
        raise ArcalError("it needs logits; probabilities all have the same energy")
    z, labels = given.finite
    correct = z.argmax(1) == labels
    if not correct.any():
        raise ArcalError("no validation input is classified correctly: check the labels")
    groups = [(E[some], given.weights[some]) for some in (correct, ~correct)]
    mean = torch.stack([weighted_mean(*group) for group in groups])
    spread = torch.stack([weighted_deviation(*group) for group in groups])
    sd = spread.maximum(0.1 * given.deviation(E))  # a group of one has a density, too
    right, wrong = densities(E, mean, sd)

    # The search is for theta times the densities' heights, which is a temperature whatever the
    # units of the energies: in theta itself the slope is so small that a search stops at once.
    height = 1 / (sd * math.sqrt(2 * math.pi))

    def objective(change: object) -> tuple[float, object]:
        each = torch.as_tensor(change, device="cpu").requires_grad_()
        scale = (T - each[0] * right / height[0] + each[1] * wrong / height[1]).maximum(LEAST * T)
        loss = given.mean(given.tempered.squared_error(scale))
        (slope,) = torch.autograd.grad(loss, each)
        return loss.item(), slope.numpy()

    from scipy.optimize import minimize  # takes a fifth of a second to import

    best = minimize(
        objective,
        torch.zeros(2, device="cpu").double().numpy(),
        jac=True,
        bounds=[(0.0, LARGEST)] * 2,
        options={"ftol": 1e-12, "gtol": 1e-8},
    )
    return EnergyScaling(T, mean, sd, torch.from_numpy(best.x) / height)


def densities(energy: Tensor, mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
    """Two normal densities `(N,)` at energies `(N,)`.

    >>> densities(torch.zeros(1), torch.zeros(2), torch.tensor([1.0, 2.0]))
    (tensor([0.3989]), tensor([0.1995]))
    """
    deviations = (energy[:, None] - mean) / sd
    right, wrong = ((-deviations.square() / 2).exp() / (sd * math.sqrt(2 * math.pi))).unbind(1)
    return right, wrong
