"""Calibration of predictions after training, fitted on validation predictions. Contents:

calibrator             what all of them take and give
temperature            temperature scaling: one parameter
ensemble_temperature   ETS: a mixture with what was predicted and with the uniform distribution
isotonic               IRM, one monotone function for all classes; IROvA-TS, one a class

Never fit on what is then measured. A new one is one file and one line here.
"""

from collections.abc import Callable

from torch import Tensor

from arcal.calibration.posthoc.calibrator import Calibrator
from arcal.calibration.posthoc.ensemble_temperature import (
    EnsembleTemperature,
    fit_ensemble_temperature,
)
from arcal.calibration.posthoc.isotonic import (
    Isotonic,
    MultiClassIsotonic,
    OneVsAllIsotonic,
    fit_irm,
    fit_irova_ts,
)
from arcal.calibration.posthoc.temperature import Temperature, fit_temperature
from arcal.errors import ArcalError

POSTHOC: dict[str, Callable[[Tensor, Tensor], Calibrator]] = {
    "temperature": fit_temperature,
    "ets": fit_ensemble_temperature,
    "irm": fit_irm,
    "irova-ts": fit_irova_ts,
}


def check_posthoc(name: str) -> None:
    """Refuse a name that is not one of `POSTHOC`."""
    if name not in POSTHOC:
        raise ArcalError(f"post-hoc method {name!r} is unknown: choose from {', '.join(POSTHOC)}")


__all__ = [
    "POSTHOC",
    "Calibrator",
    "EnsembleTemperature",
    "Isotonic",
    "MultiClassIsotonic",
    "OneVsAllIsotonic",
    "Temperature",
    "check_posthoc",
    "fit_ensemble_temperature",
    "fit_irm",
    "fit_irova_ts",
    "fit_temperature",
]
