"""How large a reproduction is: what stands in for each data set and network of the paper.

A `Setting` is one pair of data set and network that the paper trains, with all that its methods
need. The tables and figures name settings and variants; a scale says what they are:

    smoke   minutes: embedded images, two seeds, few corruptions
    cpu     hours on two cores: real images, few with a small network or all with a medium one
    paper   appendix A to the letter; needs GPUs
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from glob import escape
from typing import Any

from arcal.errors import ArcalError
from arcal.files import expanded
from arcal.paper.variants import (
    ADALS,
    ADDED,
    AR_ADALS,
    CCAT,
    FOCAL,
    JOINT,
    LS,
    MARGIN,
    MIXUP,
    OF_ENSEMBLE,
    ON_THE_FLY,
    RANDOM,
    VANILLA,
    Variant,
)
from arcal.training.recipes import RECIPES
from arcal.training.run import Run

Alpha = float | str | Mapping[str, float]
"""A number, "auto", or a schedule by the first epoch of each value."""

PAPER = {
    "cifar10-resnet29": "CIFAR-10, ResNet-29",
    "cifar10-wrn": "CIFAR-10, WRN-28-10",
    "cifar100-wrn": "CIFAR-100, WRN-28-10",
    "imagenet-resnet101": "ImageNet, ResNet-101",
}
"""What settings stand for in the paper, by name; a scale has some of them, perhaps smaller."""
TITLES = PAPER | {
    "cifar10-headline": "CIFAR-10, all training images",
    "cifar10-fast": "CIFAR-10, fast network",
    "cifar10-tournament": "CIFAR-10, training for shift",
    "cifar100-tournament": "CIFAR-100, training for shift",
}
"""What settings are about, by name."""


@dataclass(frozen=True)
class Sources:
    """Where real data lies; each is what `arcal train --data` takes."""

    cifar10: str = "data/cifar10"
    cifar100: str = "data/cifar100"
    imagenet: str = "data/imagenet"


@dataclass(frozen=True)
class Setting:
    """One data set and network of the paper, as a scale has it.

    `title` names the data and the network that are really used, in headings and pictures. `run` is
    its vanilla run; every other run differs from it in method, settings and seeds. From each of the
    grids `epsilons`, `alphas` (AR-AdaLS) and `adals_alphas` the value with the best validation ECE
    on the first seed is chosen; a single value is used as it is. `rescore` are the epochs, or
    shares of all epochs, after which AR-AdaLS on the fly ranks again; `levels` are the R that
    Figure 5 tries. `ood` is the other data of Figure 4, of which `ood_classes` are used, or all if
    None. `attack` finds the robustness of training, validation and test images; None is ours, the
    quick one where only levels of training and validation images are needed. `shift_images` is how
    many of the test images are corrupted, drawn by the split seed, or all if None.
    """

    name: str
    title: str
    about: str
    run: Run
    seeds: tuple[int, ...]
    epsilons: tuple[float, ...]
    alphas: tuple[Alpha, ...]
    adals_alphas: tuple[Alpha, ...]
    rescore: tuple[float, ...] = ()
    levels: tuple[int, ...] = ()
    shift: tuple[str, ...] = ()
    ood: str | None = None
    order: str = "attack"
    ood_classes: tuple[int, ...] | None = None
    attack: str | None = None
    shift_images: int | None = None

    @property
    def grids(self) -> dict[str, tuple[Any, ...]]:
        """The values to choose from, by the name in `Chosen`."""
        return {
            "epsilon": self.epsilons,
            "alpha": self.alphas,
            "adals_alpha": self.adals_alphas,
        }

    def runs(self, variant: Variant, chosen: "Chosen") -> list[Run]:
        """The runs of a trained variant: one per seed, or one of all seeds as lockstep members."""
        method, settings = _training(variant, self, chosen)
        run = replace(self.run, method=method, settings=settings)
        if variant == OF_ENSEMBLE:
            return [replace(run, seeds=self.seeds)]
        return [replace(run, seeds=(seed,)) for seed in self.seeds]


@dataclass(frozen=True)
class Chosen:
    """What was chosen on validation: label smoothing's epsilon, AR-AdaLS's and AdaLS's alpha.

    A value that no run needs is None.
    """

    epsilon: float | None
    alpha: Alpha | None
    adals_alpha: Alpha | None


def _training(variant: Variant, setting: Setting, chosen: Chosen) -> tuple[str, dict[str, Any]]:
    """The method of `arcal.methods` that trains a variant, and its settings."""
    if variant.added is not None:
        method, settings = _training(replace(variant, added=None), setting, chosen)
        return method, settings | ADDED[variant.added].settings
    adaptive = {"alpha": chosen.alpha, "order": "attack", "attack": setting.attack}
    if variant.R is not None:
        if variant.R == 1:
            return "adals", {"alpha": chosen.alpha}
        return "ar-adals", adaptive | {"R": variant.R}
    by_variant: dict[Variant, tuple[str, dict[str, Any]]] = {
        VANILLA: ("vanilla", {}),
        LS: ("label-smoothing", {"epsilon": chosen.epsilon}),
        ADALS: ("adals", {"alpha": chosen.adals_alpha}),
        AR_ADALS: ("ar-adals", adaptive),
        ON_THE_FLY: ("ar-adals", adaptive | {"rescore": setting.rescore}),
        JOINT: ("ar-adals", adaptive | {"alpha": "auto", "update": "joint"}),
        MARGIN: ("ar-adals", {"alpha": chosen.alpha, "order": "margin"}),
        RANDOM: ("ar-adals", {"alpha": chosen.alpha, "order": "random"}),
        MIXUP: ("vanilla", {"mixup": 0.2}),
        CCAT: ("ccat", {}),
        FOCAL: ("focal", {}),
        OF_ENSEMBLE: ("ar-adals", adaptive),
    }
    return by_variant[variant]


def _smoke(sources: Sources) -> list[Setting]:
    recipe = RECIPES["demo"].shortened(10)
    run = Run(recipe=recipe, validation=1500, images=3000, test_images=1000)
    six = replace(run, classes=(0, 2, 3, 4, 5, 6))  # it never sees the other four
    first = Setting(
        name="cifar10-resnet29",
        title="Fashion-MNIST of six classes, small network",
        about="3,000 embedded images of six classes of Fashion-MNIST, small network, 10 epochs",
        run=six,
        seeds=(0, 1),
        epsilons=(0.02, 0.05, 0.1),
        alphas=(0.2, 0.4),
        adals_alphas=(0.2, 0.4),
        rescore=(0.3, 0.6),
        levels=(1, 2, 10, 16),
        shift=("gaussian_noise", "fog", "contrast"),
    )
    other = replace(
        first,
        name="cifar100-wrn",
        title="Fashion-MNIST, small network",
        about="2,000 embedded images of all ten classes, small network, 10 epochs",
        run=replace(run, images=2000),
        levels=(1, 10),
    )
    same = replace(
        first,
        name="cifar10-wrn",
        ood="fashion",
        ood_classes=(1, 7, 8, 9),
    )
    contest = replace(
        first,
        name="cifar10-tournament",
        epsilons=(0.05,),
        alphas=("auto",),
        shift=("gaussian_noise-3", "fog-3", "spatter-3", "saturate-3"),
    )
    return [first, same, other, contest]


def _cpu(sources: Sources) -> list[Setting]:
    recipe = RECIPES["small"]
    run = Run(sources.cifar10, recipe=recipe, images=5000, validation=3000)
    first = Setting(
        name="cifar10-resnet29",
        title="CIFAR-10, small network",
        about="5,000 training and 3,000 validation images, small network, 30 epochs",
        run=run,
        seeds=(0, 1, 2, 3, 4),
        epsilons=(0.05, 0.1, 0.15, 0.2, 0.25),
        alphas=(0.1, 0.2, 0.33, 0.5),
        adals_alphas=(0.1, 0.2, 0.33, 0.5),
        rescore=(65 / 200, 130 / 200),
        levels=(1, 2, 4, 8, 10, 12, 16),
        ood=sources.cifar100,
        shift_images=2000,
    )
    other = replace(
        first,
        name="cifar100-wrn",
        title="CIFAR-100, small network",
        about="10,000 training and 3,000 validation images, small network, 30 epochs",
        # With 5,000 images vanilla is hardly over-confident on validation (.03), with these (.065)
        # as much as the paper's.
        run=replace(run, data=sources.cifar100, images=10_000),
        levels=(1, 10),
        shift=("cifar100",),
        ood=None,
    )
    same = replace(first, name="cifar10-wrn")
    headline = Setting(
        name="cifar10-headline",
        title=TITLES["cifar10-headline"],
        about="45,000 training and 5,000 validation images, medium network, 16 epochs",
        run=Run(sources.cifar10, network="medium", recipe=RECIPES["medium"]),
        seeds=(0, 1, 2, 3, 4, 5, 6, 7),
        # Validation ECE on seed 0, in bf16: .0246 at .02, .0187 at .05, .0703 at .1.
        epsilons=(0.05,),
        alphas=("auto",),
        adals_alphas=("auto",),
    )
    accurate = replace(
        headline,
        name="cifar10-fast",
        title=TITLES["cifar10-fast"],
        about="45,000 training and 5,000 validation images, fast network, 16 epochs",
        run=Run(sources.cifar10, network="fast", recipe=RECIPES["fast"]),
    )
    contest = replace(accurate, name="cifar10-tournament", shift_images=5000)
    hundred = replace(
        contest,
        name="cifar100-tournament",
        title="CIFAR-100, fast network",
        run=replace(contest.run, data=sources.cifar100),
        seeds=(0, 1, 2, 3),
    )
    return [first, same, other, headline, accurate, contest, hundred]


def _paper(sources: Sources) -> list[Setting]:
    resnet = Setting(
        name="cifar10-resnet29",
        title=PAPER["cifar10-resnet29"],
        about="appendix A.1, ResNet-29",
        run=Run(data=sources.cifar10, network="resnet29", recipe=RECIPES["resnet29"]),
        seeds=(0, 1, 2, 3, 4),
        epsilons=(0.02,),
        alphas=(0.005,),
        adals_alphas=(0.05,),
        rescore=(65, 130),
        levels=(1, 2, 4, 6, 8, 10, 12, 14, 16),
        attack="carlini-wagner",
    )
    wide = replace(
        resnet,
        name="cifar10-wrn",
        title=PAPER["cifar10-wrn"],
        about="appendix A.1, WRN-28-10",
        run=Run(data=sources.cifar10, network="wrn-28-10", recipe=RECIPES["wrn-28-10"]),
        seeds=(0, 1, 2, 3),
        adals_alphas=(0.005,),
        ood=sources.cifar100,
    )
    hundred = replace(
        wide,
        name="cifar100-wrn",
        title=PAPER["cifar100-wrn"],
        about="appendix A.2",
        run=replace(wide.run, data=sources.cifar100),
        epsilons=(0.07,),
        levels=(1, 10),
        shift=("cifar100",),
        ood=None,
    )
    imagenet = replace(
        resnet,
        name="imagenet-resnet101",
        title=PAPER["imagenet-resnet101"],
        about="appendix A.3",
        run=Run(data=sources.imagenet, network="resnet101", recipe=RECIPES["imagenet"]),
        alphas=({"0": 0.001, "60": 0.05},),
        adals_alphas=(0.03,),
        rescore=(),  # the paper has no AR-AdaLS on the fly here
        levels=(1, 10),
        shift=("standard",),
    )
    headline = replace(
        resnet,
        name="cifar10-headline",
        title="CIFAR-10, ResNet-29",
        about="appendix A.1, ResNet-29; levels by the quick boundary projection",
        rescore=(),
        levels=(),
        attack=None,
    )
    return [resnet, wide, hundred, imagenet, headline]


SCALES: dict[str, Callable[[Sources], list[Setting]]] = {
    "smoke": _smoke,
    "cpu": _cpu,
    "paper": _paper,
}


def settings_of(scale: str, sources: Sources, seeds: tuple[int, ...] = ()) -> dict[str, Setting]:
    """The settings of a scale by name, with other seeds than its own if any are given."""
    if scale not in SCALES:
        raise ArcalError(f"scale {scale!r} is unknown: choose from {', '.join(SCALES)}")
    if len(set(seeds)) < len(seeds):
        raise ArcalError(f"seeds are {list(seeds)}: give each once")
    settings = SCALES[scale](sources)
    return {one.name: replace(one, seeds=seeds or one.seeds) for one in settings}


def check_there(source: str) -> None:
    """Refuse a place where no data set can be, before hours go into others."""
    path = expanded(source)
    if source != "fashion" and not (
        path.exists() or any(path.parent.glob(f"{escape(path.name)}*"))
    ):
        raise ArcalError(
            f"there is no data at {source}: say where with --cifar10, --cifar100 or --imagenet"
        )
