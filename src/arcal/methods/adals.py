"""AdaLS and AR-AdaLS (section 4): soft labels that follow the validation set's calibration."""

from typing import Any, ClassVar

from torch import Tensor, nn

from arcal.attacks import attack_named
from arcal.errors import ArcalError
from arcal.methods.method import Method
from arcal.robustness import check_order
from arcal.smoothing import AdaptiveLabelSmoothing


class AdaLS(Method):
    """Algorithm 1 with R = 1: one soft label for all, no levels needed."""

    def __init__(self, Z: int, *, alpha: float = 0.005):
        super().__init__()
        self.smoothing = AdaptiveLabelSmoothing(Z, R=1, alpha=alpha)

    def loss(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        return self.smoothing(model(x), labels, ids)

    def learn(self, ids: Tensor, confidence: Tensor, correct: Tensor) -> dict[str, Any]:
        gap = self.smoothing.update(confidence, correct, ids)
        return {"gap": gap.tolist(), "epsilon": self.smoothing.epsilon.tolist()}


class ARAdaLS(AdaLS):
    """Algorithm 1 with R levels, cut by `order` (see `arcal.robustness`) of a vanilla model.

    That model has the same data, network, recipe and seed: the "pre-computed" way of section 4.
    `attack` names the attack of the order `attack`; levels need no more than the quick one.
    """

    ranks: ClassVar[bool] = True

    def __init__(
        self,
        Z: int,
        *,
        alpha: float = 0.005,
        R: int = 10,
        order: str = "attack",
        attack: str | None = None,
    ):
        super().__init__(Z)
        self.completed({"order": order, "attack": attack})
        self.R, self.order = R, order
        self.smoothing = AdaptiveLabelSmoothing(Z, R=R, alpha=alpha)

    @classmethod
    def completed(cls, settings: dict[str, Any]) -> dict[str, Any]:
        check_order(settings["order"])
        attack = settings["attack"]
        if settings["order"] == "attack":
            attack = attack or "boundary-projection-quick"
            attack_named(attack)
        elif attack is not None:
            raise ArcalError(
                f"an attack is of the order attack: leave it out with {settings['order']}"
            )
        return settings | {"attack": attack}

    def assign(self, part: str, ids: Tensor, levels: Tensor) -> None:
        self.smoothing.assign(part, ids, levels)
