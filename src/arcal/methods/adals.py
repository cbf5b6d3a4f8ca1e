"""AdaLS and AR-AdaLS (section 4): soft labels that follow the validation set's calibration."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor

from arcal.attacks import attack_named
from arcal.errors import ArcalError
from arcal.methods.method import Method
from arcal.robustness import check_order
from arcal.smoothing import AdaptiveLabelSmoothing

Alpha = float | Mapping[Any, float] | Literal["auto"]


class AdaLS(Method):
    """Algorithm 1 with R = 1: one soft label for all, no levels needed.

    `alpha` is "auto", by the epochs that are left, a number such as the paper's 0.005, or a
    schedule by first epochs such as the paper's for ImageNet, `{"0": 0.001, "60": 0.05}`.
    """

    def __init__(self, Z: int, *, alpha: Alpha = "auto"):
        super().__init__()
        self.smoothing = AdaptiveLabelSmoothing(Z, R=1, alpha=alpha)

    def begin(self, epochs: int, full_rate: int) -> None:
        self.smoothing.begin(epochs, full_rate)

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        return self.smoothing(logits, labels, ids)

    def learn(self, ids: Tensor, confidence: Tensor, correct: Tensor) -> dict[str, Any]:
        gap = self.smoothing.update(confidence, correct, ids)
        return {"gap": gap.tolist(), "epsilon": self.smoothing.epsilon.tolist()}


class ARAdaLS(AdaLS):
    """Algorithm 1 with R levels, cut by `order` (see `arcal.robustness`) of a vanilla model.

    That model has the same data, network, recipe and seed: the "pre-computed" way of section 4.
    `attack` names the attack of the order `attack`; levels need no more than the quick one.
    `update` "own" moves each level by its own gap, as the paper does; "joint" moves them together,
    see `arcal.adaptive_alpha`.

    "On the fly" both sets are ranked anew, by the model as it is then, after the epochs `rescore`:
    65 and 130 of 200 for the paper's WRN-28-10. A number below 1 is a share of all epochs. Soft
    labels stay with their level. Until the first such epoch the pre-computed levels hold.
    """

    ranks: ClassVar[bool] = True

    def __init__(
        self,
        Z: int,
        *,
        alpha: Alpha = "auto",
        update: Literal["own", "joint"] = "own",
        R: int = 10,
        order: str = "attack",
        attack: str | None = None,
        rescore: Sequence[float] | None = None,
    ):
        super().__init__(Z)
        self.completed({"order": order, "attack": attack, "rescore": rescore})
        self.R, self.order, self.rescore = R, order, rescore or ()
        self.smoothing = AdaptiveLabelSmoothing(Z, R, alpha, update=update)

    @classmethod
    def completed(cls, settings: dict[str, Any]) -> dict[str, Any]:
        check_order(settings["order"])
        attack = settings["attack"]
        if settings["order"] == "attack":
            attack = attack or "boundary-projection-quick"
            attack_named(attack)
        elif attack is not None:
            raise ArcalError(
                f"an attack is of the order attack: leave it out, or None, with {settings['order']}"
            )
        rescore = settings["rescore"] or ()
        if not all(0 < at < 1 or (at >= 1 and float(at).is_integer()) for at in rescore):
            raise ArcalError(
                f"rescore is {list(rescore)}: give epochs, or shares of all epochs below 1"
            )
        return settings | {"attack": attack, "rescore": tuple(rescore) or None}

    def begin(self, epochs: int, full_rate: int) -> None:
        super().begin(epochs, full_rate)
        self.rescored = {max(1, round(at * epochs)) if at < 1 else int(at) for at in self.rescore}
        if any(at >= epochs for at in self.rescored):
            raise ArcalError(
                f"rescore is {list(self.rescore)}, but there are {epochs} epochs: after the last "
                "one new levels would teach nothing"
            )

    def rescores_after(self, epoch: int) -> bool:
        return epoch in self.rescored

    def assign(self, part: str, ids: Tensor, levels: Tensor) -> None:
        self.smoothing.assign(part, ids, levels)
