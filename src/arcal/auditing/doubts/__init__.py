"""Doubts: signs that predictions or inputs are not what they are taken for.

Every `suspect_...` returns None if it suspects nothing.

_order_and_scale   classes in another order, an accuracy near chance, and inputs on another scale
                   than in training
_predictions       labels that are predictions, and a softmax that was applied twice
_clusters          inputs that belong together, such as several of one patient
_drift             unlabelled inputs that seem to differ from the labelled ones
"""

from arcal.auditing.doubts._clusters import suspect_clusters
from arcal.auditing.doubts._drift import suspect_drift
from arcal.auditing.doubts._order_and_scale import suspect_inputs, suspect_order, suspect_scale
from arcal.auditing.doubts._predictions import (
    suspect_own_predictions,
    suspect_softmax_twice,
)

__all__ = [
    "suspect_clusters",
    "suspect_drift",
    "suspect_inputs",
    "suspect_order",
    "suspect_own_predictions",
    "suspect_scale",
    "suspect_softmax_twice",
]
