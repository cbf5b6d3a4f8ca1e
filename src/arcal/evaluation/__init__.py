"""From run folders to subjects.

_evaluate    runs of any methods on any sets, as subjects
grouping     which runs belong to one method
row          the runs of a method, measured set by set
workload     what every run is evaluated on
ahead        processes that share the work
predictor    a run's predictions on a set, kept in its folder
figures      the figures on a set, kept in a run's folder
table        every figure as a row of a Parquet file
"""

from arcal.evaluation._evaluate import evaluate
from arcal.evaluation.grouping import method_of_run
from arcal.evaluation.predictor import predict, predict_part
from arcal.evaluation.table import table_of, write_table
from arcal.evaluation.workload import evaluated_part

__all__ = [
    "evaluate",
    "evaluated_part",
    "method_of_run",
    "predict",
    "predict_part",
    "table_of",
    "write_table",
]
