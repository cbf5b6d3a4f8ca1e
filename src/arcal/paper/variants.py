"""What the paper compares: a method as it is trained, and what is done to it afterwards."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from arcal.report.marks import METHOD_MARKS, SPARE_MARKS, Mark


@dataclass(frozen=True)
class Variant:
    """A row of the paper's tables: what is trained, by the paper's name, and what follows.

    `R` is the number of levels of AR-AdaLS if Figure 5 tries another than ten; with one level it is
    AdaLS. `added` is an addition to its training, a key of `ADDED`, and `posthoc` a calibration
    after training, a key of `POSTHOC` or `EVALUATED`.

    >>> VANILLA.calibrated("temperature").title
    'Temperature Scaling'
    >>> AR_ADALS.with_levels(4).title
    'AR-AdaLS, R = 4'
    >>> VANILLA.adding("augmix").calibrated("temperature").title
    'Vanilla with AugMix + temperature'
    """

    name: str
    R: int | None = None
    posthoc: str | None = None
    added: str | None = None

    def with_levels(self, R: int) -> "Variant":
        """The same with R levels; ten are the usual."""
        return replace(self, R=None if R == 10 else R)

    def adding(self, added: str) -> "Variant":
        """The same trained with one of `ADDED` as well."""
        return replace(self, added=added)

    def calibrated(self, posthoc: str) -> "Variant":
        """The same calibrated after training."""
        return replace(self, posthoc=posthoc)

    @property
    def trained(self) -> "Variant":
        """The same without what is done after training."""
        return replace(self, posthoc=None)

    @property
    def title(self) -> str:
        """Its name in a table."""
        if self in _AS_PUBLISHED:
            return _AS_PUBLISHED[self]
        name = self.name if self.R is None else f"AR-AdaLS, R = {self.R}"
        if self.added is not None:
            name += f" with {ADDED[self.added].title}"
        return name + (f" + {self.posthoc}" if self.posthoc else "")

    @property
    def ensemble_title(self) -> str:
        """The name of the ensemble of its runs; AR-AdaLS of Ensemble is one already."""
        return self.title if self == OF_ENSEMBLE else f"Ensemble of {self.title}"


VANILLA = Variant("Vanilla")
LS = Variant("Label Smoothing")
ADALS = Variant("AdaLS")
AR_ADALS = Variant("AR-AdaLS (pre-compute)")
ON_THE_FLY = Variant("AR-AdaLS (on-the-fly)")
JOINT = Variant("AR-AdaLS, joint update, alpha auto")
MARGIN = Variant("AR-AdaLS, margin order")
RANDOM = Variant("AR-AdaLS, random order")
MIXUP = Variant("mixup")
CCAT = Variant("CCAT")
OF_ENSEMBLE = Variant("AR-AdaLS of Ensemble")
FOCAL = Variant("Focal loss (FLSD-53)")
TRAINED = (
    VANILLA,
    LS,
    ADALS,
    AR_ADALS,
    ON_THE_FLY,
    JOINT,
    MARGIN,
    RANDOM,
    MIXUP,
    CCAT,
    OF_ENSEMBLE,
)
"""What the paper trains, but for other numbers of levels; `JOINT`, `MARGIN`, `RANDOM` are ours."""


class Addition(NamedTuple):
    """An addition to a method's training: its name in a title, and the settings that add it."""

    title: str
    settings: dict[str, float]


ADDED: dict[str, Addition] = {
    "noise": Addition("noise", {"noise": 0.1}),
    "perturbed": Addition("perturbed inputs", {"perturbed": 0.15}),
    "augmix": Addition("AugMix", {"augmix": 12.0}),
    "regmixup": Addition("RegMixup", {"regmixup": 20.0}),
    "entropy": Addition("an entropy bonus", {"entropy": 0.1}),
    "mbls": Addition("MbLS", {"mbls": 6.0}),
}
"""What can be added to a method, with the authors' settings."""

TEMPERATURE_SCALING = VANILLA.calibrated("temperature")
MIX_N_MATCH = VANILLA.calibrated("ets")
_AS_PUBLISHED = {TEMPERATURE_SCALING: "Temperature Scaling", MIX_N_MATCH: "Mix-n-Match (ETS)"}

MARKS = {
    VANILLA: METHOD_MARKS["vanilla"],
    LS: replace(METHOD_MARKS["label-smoothing"], name="LS"),
    ADALS: METHOD_MARKS["adals"],
    AR_ADALS: METHOD_MARKS["ar-adals"],
    ON_THE_FLY: METHOD_MARKS["ar-adals"],
    OF_ENSEMBLE: Mark("AR-AdaLS of Ensemble", *SPARE_MARKS[0]),
}
"""How figures draw them, and what they call them: a figure shows one kind of AR-AdaLS."""
