"""Audits: classifiers and their data in; findings, a page and files out.

_audit         `arcal.audit`, and in _audit_result the value it returns
_calibrate     `arcal.calibrate`, and in _calibration the value it returns
_calibration_figures   its figures by name
_changed_inputs   a job on changed inputs: mirrored or perturbed images
_job           one model on one data set
_jobs          running audits and scorings: the order of the work
engine         the work in blocks, which are kept and read again; in other processes, too
blocks         everything that is computed on a block of inputs
_estimators    classifiers of scikit-learn, from their probabilities
_from_predictions   a classifier audited from its predictions alone
_examples      the labelled inputs, of any kind
_drawn         fewer of the inputs: one of each, or a few
_loaded        inputs that a loader yields, with their weights and groups
_same_inputs   whether two models were audited on the same inputs
_overlap       inputs that occur twice, or were trained on
_inputs_table  what each model says of each input, as a table
_unlabelled    estimates for inputs without labels
_conditions    when a build should fail
_earlier       an earlier audit to compare with
_names         what a user types: which of it are models, data, files of predictions
_open          opens a model and its data, and _open_predictions files of predictions
_read          data of any kind, as a model takes it
"""

from arcal.audits._audit import audit
from arcal.audits._audit_result import FILES, Audit
from arcal.audits._calibrate import calibrate, calibration_of, order_doubts
from arcal.audits._calibration import CALIBRATION_FILES, Calibration, save_calibration
from arcal.audits._calibration_figures import calibration_figure_names, calibration_figures
from arcal.audits._changed_inputs import perturbed, with_perturbed, with_views
from arcal.audits._conditions import Condition, failures
from arcal.audits._drawn import drawn_at_random
from arcal.audits._earlier import Earlier, read_earlier
from arcal.audits._examples import DRAWN, Examples
from arcal.audits._job import Job, panel_for
from arcal.audits._jobs import run_jobs, score_job
from arcal.audits._names import check_data_name, names_of, split_names
from arcal.audits._open import NamedData, NamedModel, open_job
from arcal.audits._open_predictions import (
    LABELLED,
    NOT_USED,
    NamedPredictions,
    Uses,
    open_predictions,
)
from arcal.audits._overlap import training_part
from arcal.audits._read import NOT_DRAWN, Reading, not_drawn
from arcal.audits.blocks import PANEL, Settings
from arcal.audits.engine import fingerprint_of_answers

__all__ = [
    "CALIBRATION_FILES",
    "DRAWN",
    "FILES",
    "LABELLED",
    "NOT_DRAWN",
    "NOT_USED",
    "PANEL",
    "Audit",
    "Calibration",
    "Condition",
    "Earlier",
    "Examples",
    "Job",
    "NamedData",
    "NamedModel",
    "NamedPredictions",
    "Reading",
    "Settings",
    "Uses",
    "audit",
    "calibrate",
    "calibration_figure_names",
    "calibration_figures",
    "calibration_of",
    "check_data_name",
    "drawn_at_random",
    "failures",
    "fingerprint_of_answers",
    "names_of",
    "not_drawn",
    "open_job",
    "open_predictions",
    "order_doubts",
    "panel_for",
    "perturbed",
    "read_earlier",
    "run_jobs",
    "save_calibration",
    "score_job",
    "split_names",
    "training_part",
    "with_perturbed",
    "with_views",
]
