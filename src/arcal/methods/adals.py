"""AdaLS and AR-AdaLS (section 4): soft labels that follow the validation set's calibration."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from torch import Tensor

from arcal.attacks import ATTACKS, attack_named
from arcal.errors import ArcalError
from arcal.methods.method import Method
from arcal.methods.setting import Setting
from arcal.orders import ORDERS, check_order
from arcal.smoothing import AdaptiveLabelSmoothing


def _alpha_in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        value = " then ".join(f"{alpha} from epoch {first}" for first, alpha in value.items())
    return f"α = {value}"


def _rescore_in_words(value: Any) -> str:
    return f"on the fly after {' and '.join(f'{after:g}' for after in value)}"


Alpha = Annotated[
    float | Mapping[int, float] | Literal["auto"],
    Setting(
        "learning rate of the soft labels. auto sets it by the epochs that are left; the paper has "
        "0.005 for AR-AdaLS on CIFAR, for 200 epochs. A schedule is first epochs and values in "
        "turn, such as 0 0.001 60 0.05, the paper's for ImageNet",
        words=_alpha_in_words,
    ),
]


class AdaLS(Method):
    """Algorithm 1 with R = 1: one soft label for all, no levels needed.

    `alpha` is "auto", set by the number of epochs left; a number, such as the paper's 0.005; or a
    schedule by first epochs, such as the paper's for ImageNet, `{0: 0.001, 60: 0.05}`.

    >>> import torch
    >>> method = AdaLS(2, alpha=0.25)
    >>> confidence, correct = torch.tensor([1.0, 1.0]), torch.tensor([True, False])
    >>> method.learn(torch.tensor([7, 8]), confidence, correct)
    {'gap': [0.5], 'epsilon': [0.25]}
    """

    name = "adals"
    title = "AdaLS"
    about = "label smoothing whose share follows the validation set's over-confidence"
    place = 30

    def __init__(self, Z: int, *, alpha: Alpha = "auto"):
        super().__init__()
        self.smoothing: AdaptiveLabelSmoothing = AdaptiveLabelSmoothing(Z, R=1, alpha=alpha)

    def begin(self, epochs: int, full_rate: int) -> None:
        self.smoothing.begin(epochs, full_rate)

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        return self.smoothing(logits, labels, ids)

    def learn(self, ids: Tensor, confidence: Tensor, correct: Tensor) -> dict[str, Any]:
        gap = self.smoothing.update(confidence, correct, ids, gathered=True)
        return {"gap": gap.tolist(), "epsilon": self.smoothing.epsilon.tolist()}


class ARAdaLS(AdaLS):
    """Algorithm 1 with R levels, by the `order` (see `arcal.orders`) of a vanilla model's scores.

    The vanilla model has the same data, network, recipe and seed: the "pre-computed" way of
    section 4. `attack` names the attack of the order `attack`; for levels the quick one suffices.
    `update` "own" moves each level by its own gap, as in the paper; "joint" moves them together,
    see `arcal.adaptive_alpha`.

    With `rescore`, both sets are also ranked "on the fly": again after each of these epochs, by the
    current model. The paper has 65 and 130 of 200 for its WRN-28-10. A number below 1 is a
    share of all epochs. Soft labels stay with their level, and the pre-computed levels are used
    until the first such epoch.

    >>> import torch
    >>> method, ids = ARAdaLS(2, alpha=0.25, R=2), torch.tensor([7, 8])
    >>> method.assign("validation", ids, torch.tensor([0, 1]))
    >>> confidence, correct = torch.tensor([1.0, 0.75]), torch.tensor([False, True])
    >>> method.learn(ids, confidence, correct)
    {'gap': [1.0, -0.25], 'epsilon': [0.5, 0.0]}
    """

    name = "ar-adals"
    title = "AR-AdaLS"
    about = "AdaLS with a share of its own for each of R levels of adversarial robustness"
    place = 40
    ranks: ClassVar[bool] = True

    def __init__(
        self,
        Z: int,
        *,
        alpha: Alpha = "auto",
        update: Annotated[
            Literal["own", "joint"],
            Setting(
                "how soft labels move: own, the paper's, moves each level's by its own gap; joint "
                "moves all of them together"
            ),
        ] = "own",
        R: Annotated[
            int,
            Setting(
                "R, the number of robustness levels; the paper's is 10",
                flag="levels",
                place=-1,
                at_least=1,
            ),
        ] = 10,
        order: Annotated[
            str,
            Setting(
                f"what levels are cut by, one of {', '.join(ORDERS)}; attack is the paper's",
                words="{} order".format,
            ),
        ] = "attack",
        attack: Annotated[
            str | None,
            Setting(
                f"the attack of the order attack, one of {', '.join(ATTACKS)}; "
                "boundary-projection-quick unless given",
                words="by {}".format,
            ),
        ] = None,
        rescore: Annotated[
            Sequence[float] | None,
            Setting(
                'the epochs after which the current model cuts the levels again ("on the fly"), '
                "such as 65 130, or shares of all epochs, such as 0.3 0.6",
                words=_rescore_in_words,
            ),
        ] = None,
    ):
        super().__init__(Z)
        self.completed({"order": order, "attack": attack, "rescore": rescore})
        self.order: str = order
        self.rescore: Sequence[float] | tuple[()] = rescore or ()
        self.R = R
        self.smoothing: AdaptiveLabelSmoothing = AdaptiveLabelSmoothing(Z, R, alpha, update=update)

    @classmethod
    def completed(cls, settings: dict[str, Any]) -> dict[str, Any]:
        check_order(settings["order"])
        attack = settings["attack"]
        if settings["order"] == "attack":
            attack = attack or "boundary-projection-quick"
            attack_named(attack)
        elif attack is not None:
            raise ArcalError(
                "an attack goes with the order attack: leave it out, or give None, with "
                f"{settings['order']}"
            )
        rescore = settings["rescore"] or ()
        if not all(0 < when < 1 or (when >= 1 and float(when).is_integer()) for when in rescore):
            raise ArcalError(
                f"rescore is {list(rescore)}: give epochs, or shares of all epochs below 1"
            )
        return settings | {"attack": attack, "rescore": tuple(rescore) or None}

    def begin(self, epochs: int, full_rate: int) -> None:
        super().begin(epochs, full_rate)
        after = [max(1, round(when * epochs)) if when < 1 else int(when) for when in self.rescore]
        if any(epoch >= epochs for epoch in after):
            raise ArcalError(
                f"rescore is {list(self.rescore)}, but there are {epochs} epochs: after the last "
                "one new levels would teach nothing"
            )
        if twice := next((epoch for epoch in after if after.count(epoch) > 1), None):
            raise ArcalError(
                f"rescore is {list(self.rescore)}, and {after.count(twice)} of these are epoch "
                f"{twice} of {epochs}: give each epoch once"
            )
        self.rescored: set[int] = set(after)

    def rescores_after(self, epoch: int) -> bool:
        return epoch in self.rescored

    def assign(self, part: str, ids: Tensor, levels: Tensor) -> None:
        self.smoothing.assign(part, ids, levels)
