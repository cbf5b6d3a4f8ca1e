"""Files of saved predictions: read whatever their columns are called, written when calibrated.

_files         `read_predictions`, and the value it returns
_entries       what is in a file before it is checked, and the names of its columns
_arrays        the arrays of a .npz file
_tables        CSV, Parquet and JSON lines as tables; _headers refuses those without a header
_columns       a table's columns, told apart by their names
_outputs       those that are a model's outputs; _chosen those that the user names
_labels        labels as names or numbers; _late_labels those that are in a separate file
_answers       a confidence, and whether the answer was right
_samples       multiple-choice samples that lm-evaluation-harness logged
_calibrated    predictions written after calibration, to a file of the same kind
"""

from arcal.prediction_files._calibrated import write_calibrated
from arcal.prediction_files._entries import USUAL, ColumnNames
from arcal.prediction_files._files import (
    SUFFIXES,
    SavedPredictions,
    has_column,
    holds_predictions,
    may_hold_predictions,
    read_predictions,
)

__all__ = [
    "SUFFIXES",
    "USUAL",
    "ColumnNames",
    "SavedPredictions",
    "has_column",
    "holds_predictions",
    "may_hold_predictions",
    "read_predictions",
    "write_calibrated",
]
