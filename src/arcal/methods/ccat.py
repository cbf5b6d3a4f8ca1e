"""CCAT, confidence-calibrated adversarial training (Stutz, Hein and Schiele, ICML 2020)."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from arcal.attacks.pgd import PGD
from arcal.methods.method import Method
from arcal.methods.setting import Setting
from arcal.smoothing import smooth_cross_entropy


class CCAT(Method):
    """Half of each batch is attacked, with targets that are less sure the larger the perturbation.

    The attack finds the `delta`, `|delta|_inf <= radius`, with the highest confidence in a wrong
    class. The target of `x + delta` goes from one-hot to uniform, `lambda p + (1 - lambda) / Z`,

        lambda(delta) = (1 - min(1, |delta|_inf / radius))^rho

    which is label smoothing with `epsilon = 1 - lambda`. `radius`, `step` and `iterations` are
    those of the AR-AdaLS paper (appendix A.1). Everything else is not in its text and follows the
    CCAT authors' code for CIFAR-10: `rho` 10, momentum 0.9, steps divided by 1.5 if the objective
    would fall, starts drawn from three kinds, the attack in evaluation mode, and one pass of both
    halves in training mode.

    >>> method = CCAT(2, radius=0.5, rho=2.0)
    >>> method.transition(torch.tensor([[0.0, 0.0], [0.0, 0.25], [0.5, 0.0]]))  # lambda
    tensor([1.0000, 0.2500, 0.0000])
    """

    name = "ccat"
    title = "CCAT"
    about = "half of each batch is attacked, with labels that fade as its perturbations grow"
    place = 50

    def __init__(
        self,
        Z: int,
        *,
        radius: Annotated[
            float,
            Setting(
                "the L-infinity bound of its attack, for pixels in [0, 1]; the paper's is 0.01",
                above=0,
            ),
        ] = 0.01,
        rho: Annotated[
            float,
            Setting("how fast targets become uniform as a perturbation grows", above=0),
        ] = 10.0,
        step: Annotated[
            float, Setting("the first step of its attack; the paper's is 0.025", above=0)
        ] = 0.025,
        iterations: Annotated[
            int, Setting("iterations of its attack; the paper's are 10", at_least=1)
        ] = 10,
    ):
        super().__init__()
        self.rho = rho
        self.attack: PGD = PGD(
            radius,
            step,
            iterations,
            objective="wrong-confidence",
            momentum=0.9,
            backtracking=1.5,
            start=("gaussian", "uniform-norm", "zero"),
        )

    def loss(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        half = len(x) // 2  # the order is random, so the first half is as good as any
        adversarial = self.attack(_itself(model), x[half:], labels[half:])
        delta = adversarial - x[half:]
        epsilon = torch.cat([delta.new_zeros(half), 1 - self.transition(delta)])
        return smooth_cross_entropy(model(torch.cat([x[:half], adversarial])), labels, epsilon)

    def transition(self, delta: Tensor) -> Tensor:
        """The share `lambda` `(N,)` of the one-hot label for perturbations `(N, ...)`."""
        size = delta.flatten(1).abs().amax(dim=1)
        return (1 - (size / self.attack.radius).clamp(max=1)) ** self.rho


def _itself(model: nn.Module) -> nn.Module:
    """The network itself, in full precision, inside the wrappers of Fabric or DDP.

    Both wrappers have it as `module`, Fabric's as a property. A network may have a layer of that
    name.
    """
    fabrics = isinstance(getattr(type(model), "module", None), property)
    trains = fabrics or isinstance(model, DistributedDataParallel)
    return getattr(model, "module") if trains else model  # noqa: B009
