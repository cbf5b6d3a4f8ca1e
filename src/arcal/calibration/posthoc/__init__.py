"""Calibration of predictions after training, fitted on validation predictions. Contents:

calibrator             what all of them take and give
temperature            temperature scaling: one parameter
ensemble_temperature   ETS: a mixture with what was predicted and with the uniform distribution
isotonic               IRM, one monotone function for all classes; IROvA-TS, one a class
registry               all of them by name
calibrated             a classifier and its calibrator as one module

Each is a module whose buffers hold what was fitted; `arcal.store` saves it. Never fit on what is
then measured. A new one is one file and a line in `POSTHOC` and in `CALIBRATORS`.
"""

from arcal.calibration.posthoc.calibrated import Calibrated
from arcal.calibration.posthoc.calibrator import Calibrator
from arcal.calibration.posthoc.ensemble_temperature import (
    EnsembleTemperature,
    fit_ensemble_temperature,
)
from arcal.calibration.posthoc.isotonic import (
    MultiClassIsotonic,
    OneVsAllIsotonic,
    fit_irm,
    fit_irova_ts,
)
from arcal.calibration.posthoc.registry import CALIBRATORS, POSTHOC, check_posthoc, from_state
from arcal.calibration.posthoc.temperature import Temperature, fit_temperature

__all__ = [
    "CALIBRATORS",
    "POSTHOC",
    "Calibrated",
    "Calibrator",
    "EnsembleTemperature",
    "MultiClassIsotonic",
    "OneVsAllIsotonic",
    "Temperature",
    "check_posthoc",
    "fit_ensemble_temperature",
    "fit_irm",
    "fit_irova_ts",
    "fit_temperature",
    "from_state",
]
