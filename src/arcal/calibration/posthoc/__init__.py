"""Calibration of predictions after training, fitted on validation predictions. Contents:

calibrator             the base class: what every calibrator takes and returns
calibration_set        what calibrators are fitted to, checked once for all
temperature            temperature scaling: one parameter
ensemble_temperature   ETS: a mixture with the given prediction and the uniform distribution
isotonic               IRM, one monotone function for all classes; IROvA-TS, one per class
vector_scaling         a scale and an offset for each class
dirichlet              a matrix and offsets, with ODIR regularisation
smart                  a temperature by the logit gap
ebs                    a temperature by the energy of the logits
pts                    a temperature by the largest log-probabilities
spline                 a spline for the confidence, which keeps the prediction
registry               all of them by name
thresholded            the accuracy on unlabelled inputs, by a threshold on a score
batch_temperature      a temperature by unlabelled inputs, and an estimate of their accuracy
calibrated             a classifier and its calibrator as one module; averaging over mirrored images

Each calibrator is a module whose buffers hold what was fitted; `arcal.store` saves it. Never fit on
the inputs that are then measured. A new calibrator takes one file and a line in the registry; one
of your own takes `register`.
"""

from arcal.calibration.posthoc.batch_temperature import (
    BatchTemperature,
    TemperatureByBatch,
    Today,
    fit_batch_temperature,
    fit_by_batch,
)
from arcal.calibration.posthoc.calibrated import Calibrated, FittedTo, Mirrored
from arcal.calibration.posthoc.calibration_set import CalibrationSet, as_calibration_set
from arcal.calibration.posthoc.calibrator import Calibrator
from arcal.calibration.posthoc.dirichlet import Dirichlet, fit_dirichlet
from arcal.calibration.posthoc.ebs import EnergyScaling, fit_ebs
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
from arcal.calibration.posthoc.pts import ParameterizedTemperature, fit_pts
from arcal.calibration.posthoc.registry import (
    CALIBRATORS,
    EVALUATED,
    POSTHOC,
    check_posthoc,
    from_state,
    register,
)
from arcal.calibration.posthoc.smart import Smart, fit_smart
from arcal.calibration.posthoc.spline import Spline, fit_spline
from arcal.calibration.posthoc.temperature import Temperature, fit_temperature
from arcal.calibration.posthoc.thresholded import (
    AccuracyByThreshold,
    fit_accuracy_by_threshold,
)
from arcal.calibration.posthoc.vector_scaling import VectorScaling, fit_vector

__all__ = [
    "CALIBRATORS",
    "EVALUATED",
    "POSTHOC",
    "AccuracyByThreshold",
    "BatchTemperature",
    "Calibrated",
    "CalibrationSet",
    "Calibrator",
    "Dirichlet",
    "EnergyScaling",
    "EnsembleTemperature",
    "FittedTo",
    "Mirrored",
    "MultiClassIsotonic",
    "OneVsAllIsotonic",
    "ParameterizedTemperature",
    "Smart",
    "Spline",
    "Temperature",
    "TemperatureByBatch",
    "Today",
    "VectorScaling",
    "as_calibration_set",
    "check_posthoc",
    "fit_accuracy_by_threshold",
    "fit_batch_temperature",
    "fit_by_batch",
    "fit_dirichlet",
    "fit_ebs",
    "fit_ensemble_temperature",
    "fit_irm",
    "fit_irova_ts",
    "fit_pts",
    "fit_smart",
    "fit_spline",
    "fit_temperature",
    "fit_vector",
    "from_state",
    "register",
]
