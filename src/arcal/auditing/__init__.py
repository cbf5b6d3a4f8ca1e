"""Auditing: what a classifier's predictions say about it, whoever trained it.

_predictions   a classifier's predictions on a set, and the ensemble of several
_measures      evaluation sets, clean or corrupted; accuracy, ECE and the like on a set, and how
               much runs differ
_other_data    images of another data set, and how well a model detects them
_subject       a classifier, or the runs of a training method, with all that is known about it
_shift         a figure of several runs; means over corrupted sets
_reliability   calibration by robustness level; the bins of the reliability diagrams
_estimate      a figure with its interval
_few_errors    intervals of log-loss, Brier score, gap and AURC if few inputs are wrong
_overall       all figures of a set
_grouping      inputs grouped by a column of values; drawing one input of each value
_groups        groups of inputs, and which of them are over- or under-confident
_under_shift   the same inputs under several shifts
_positive      the probability of one class against its frequency
_difference    how two models differ on the same inputs
_paired        two methods over the same seeds
_change        how a model's figures have changed since an audit of other inputs
_acting        where a model may act alone: accuracy by coverage, and thresholds
_answers       predictions from a confidence and whether the answer was right
_posthoc       predictions and subjects, calibrated after training
_zeros         small probabilities in place of exact zeros
_choice        choosing a calibrator, by _cross_validation of all of them
_halves        what calibration after training would do, seen on inputs it was not fitted on
_suspects      labels to doubt, answers that are right but fragile, and a row for every input
doubts/        signs that predictions or inputs are not what they are taken for
_caveat        what a reader must know about a model or its inputs before trusting any figure
_audited       a classifier on one data set, with everything that an audit finds
_model_checks  whether a classifier can be audited, and attacked
_saved_predictions  turns saved logits or probabilities into predictions

Nothing here reads or writes a file.
"""

from arcal.attacks.any_model import as_model, suspect_outputs
from arcal.auditing._acting import TARGETS, Acting, acting, coverage_name, most_frequent
from arcal.auditing._answers import RIGHT_OR_WRONG, as_answers
from arcal.auditing._audited import Audited, Perturbed
from arcal.auditing._caveat import Caveat, Option, facts_with
from arcal.auditing._change import Change, Changes, Standing, changes, mover, standing
from arcal.auditing._choice import Candidate, Choice, choose_calibrator
from arcal.auditing._difference import Difference, difference
from arcal.auditing._estimate import RANGES, Estimate, jointly
from arcal.auditing._grouping import Grouping, grouping, groupings, in_clusters, one_per
from arcal.auditing._groups import (
    LEAST,
    MISCALIBRATED,
    Group,
    by_class,
    by_group,
    by_level,
    verdicts,
    with_joint_intervals,
)
from arcal.auditing._halves import ENOUGH_TO_FIT, Halves, Outcome, posthoc_on_halves
from arcal.auditing._measures import (
    CLEAN,
    INTENSITIES,
    MEASURES,
    OTHER_ECE,
    OVER_SHIFT,
    STABILITY,
    EvaluationSet,
    Measures,
    OverShift,
    figures,
    measure,
    shift_sets,
    stability,
    without_extra,
)
from arcal.auditing._model_checks import check_model
from arcal.auditing._other_data import OutOfDistribution, Separation, out_of_distribution
from arcal.auditing._overall import overall
from arcal.auditing._paired import paired_t
from arcal.auditing._positive import (
    ClassProbability,
    ProbabilityBin,
    calibration_curve,
    class_probability,
    positive_class,
)
from arcal.auditing._posthoc import (
    calibrated,
    calibrated_blocks,
    fit_posthoc,
)
from arcal.auditing._predictions import Predictions, ensemble
from arcal.auditing._reliability import (
    WEAKEST,
    LevelFigures,
    accuracy_interval,
    counts_if_calibrated,
    figures_by_level,
    reliability,
)
from arcal.auditing._saved_predictions import as_predictions, check_rows
from arcal.auditing._shift import Means, Spread, by_intensity, means, on_set, over_shift, over_types
from arcal.auditing._subject import Method, Provenance, Subject, measure_set
from arcal.auditing._suspects import fragile, suspects, suspicion
from arcal.auditing._under_shift import Shift, under_shift
from arcal.auditing._zeros import Zeros, without_zeros
from arcal.auditing.doubts import (
    suspect_clusters,
    suspect_drift,
    suspect_inputs,
    suspect_order,
    suspect_own_predictions,
    suspect_scale,
    suspect_softmax_twice,
)

__all__ = [
    "CLEAN",
    "ENOUGH_TO_FIT",
    "INTENSITIES",
    "LEAST",
    "MEASURES",
    "MISCALIBRATED",
    "OTHER_ECE",
    "OVER_SHIFT",
    "RANGES",
    "RIGHT_OR_WRONG",
    "STABILITY",
    "TARGETS",
    "WEAKEST",
    "Acting",
    "Audited",
    "Candidate",
    "Caveat",
    "Change",
    "Changes",
    "Choice",
    "ClassProbability",
    "Difference",
    "Estimate",
    "EvaluationSet",
    "Group",
    "Grouping",
    "Halves",
    "LevelFigures",
    "Means",
    "Measures",
    "Method",
    "Option",
    "OutOfDistribution",
    "Outcome",
    "OverShift",
    "Perturbed",
    "Predictions",
    "ProbabilityBin",
    "Provenance",
    "Separation",
    "Shift",
    "Spread",
    "Standing",
    "Subject",
    "Zeros",
    "accuracy_interval",
    "acting",
    "as_answers",
    "as_model",
    "as_predictions",
    "by_class",
    "by_group",
    "by_intensity",
    "by_level",
    "calibrated",
    "calibrated_blocks",
    "calibration_curve",
    "changes",
    "check_model",
    "check_rows",
    "choose_calibrator",
    "class_probability",
    "counts_if_calibrated",
    "coverage_name",
    "difference",
    "ensemble",
    "facts_with",
    "figures",
    "figures_by_level",
    "fit_posthoc",
    "fragile",
    "grouping",
    "groupings",
    "in_clusters",
    "jointly",
    "means",
    "measure",
    "measure_set",
    "most_frequent",
    "mover",
    "on_set",
    "one_per",
    "out_of_distribution",
    "over_shift",
    "over_types",
    "overall",
    "paired_t",
    "positive_class",
    "posthoc_on_halves",
    "reliability",
    "shift_sets",
    "stability",
    "standing",
    "suspect_clusters",
    "suspect_drift",
    "suspect_inputs",
    "suspect_order",
    "suspect_outputs",
    "suspect_own_predictions",
    "suspect_scale",
    "suspect_softmax_twice",
    "suspects",
    "suspicion",
    "under_shift",
    "verdicts",
    "with_joint_intervals",
    "without_extra",
    "without_zeros",
]
