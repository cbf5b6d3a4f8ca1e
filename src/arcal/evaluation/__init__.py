"""From a trained run to its predictions, and from predictions to figures.

sets          what is evaluated on: clean, corrupted, official files
predictions   what models say of a set, kept in the run's folder
posthoc       the same, calibrated after training on validation predictions
figures       accuracy, ECE and the like of a set, and how much runs differ
ood           images of another data set
shift         means over corrupted sets
collect       all of it for many runs
kept          a small file of each run, for tables over seeds when the folders are gone
tidy          every figure as a row of a Parquet file
"""

from arcal.evaluation.collect import CLEAN, MethodRuns, collect, label_of, shared_levels
from arcal.evaluation.figures import (
    MEASURES,
    OTHER_ECE,
    STABILITY,
    ece_interval,
    ensemble_of,
    figures,
    stability,
)
from arcal.evaluation.kept import is_kept, keep, kept
from arcal.evaluation.ood import OutOfDistribution, Separation, out_of_distribution
from arcal.evaluation.posthoc import calibrated, fit_posthoc
from arcal.evaluation.predictions import Predictions, Predictor, predict, predictions_of
from arcal.evaluation.sets import Corrupted, EvaluationSet, Source, shift_sets
from arcal.evaluation.shift import by_intensity, on_set, over_shift, over_types, without_extra
from arcal.evaluation.tidy import rows, write_tidy

__all__ = [
    "CLEAN",
    "MEASURES",
    "OTHER_ECE",
    "STABILITY",
    "Corrupted",
    "EvaluationSet",
    "MethodRuns",
    "OutOfDistribution",
    "Predictions",
    "Predictor",
    "Separation",
    "Source",
    "by_intensity",
    "calibrated",
    "collect",
    "ece_interval",
    "ensemble_of",
    "figures",
    "fit_posthoc",
    "is_kept",
    "keep",
    "kept",
    "label_of",
    "on_set",
    "out_of_distribution",
    "over_shift",
    "over_types",
    "predict",
    "predictions_of",
    "rows",
    "shared_levels",
    "shift_sets",
    "stability",
    "without_extra",
    "write_tidy",
]
