"""Rows of predictions that seem to be copies, such as a join on a repeated key makes."""

import numpy as np
import torch
from numpy.typing import NDArray

from arcal.auditing._predictions import Predictions

SURE = 0.999
"""Inputs with a higher confidence are left alone: they may all have the same output."""
LEAST, MOST_MIXED = 20, 0.1
"""Fewer rows with equal outputs show nothing. At most this share of the groups of copies may be
mixed: few copies have the outputs of a different input."""
BEYOND = 4.0
"""How many standard deviations above chance rows with equal outputs must agree."""


def copies(predictions: Predictions) -> str | None:
    """A sentence if many rows seem to be copies, which would make intervals too narrow; or None.

    Different inputs may have exactly the same outputs, for example from a decision tree or after
    rounding. Then some of them are right and others wrong. So rows with equal outputs are taken for
    copies only if nearly all of their groups are all right or all wrong, and nearly all wrong rows
    are in groups that are all wrong. There must also be far more such groups than by chance. By
    chance m inputs are all right or all wrong with the probability

        max(e^m + (1 - e)^m, c^m + (1 - c)^m),

    with e the share of errors among all such rows, and c the mean confidence of the group.

    >>> from arcal.auditing import as_predictions
    >>> p = torch.linspace(0.5, 0.9, 50, dtype=torch.float64).repeat(2)
    >>> twice = as_predictions(probabilities=p, labels=(torch.arange(50) % 4 > 0).long().repeat(2))
    >>> copies(twice)
    '100 of the 100 rows have the same outputs and label as another: if they are copies, intervals \
are too narrow, so leave copies out; if not, give each row an `id`'
    """
    confidence = predictions.confidence.numpy()
    rows = _with_equals(confidence)
    if len(rows) < LEAST:
        return None
    alike = torch.cat([log_p.exp().square().sum(1) for _, log_p in predictions.blocks()])
    key = torch.stack([predictions.confidence, alike, predictions.predicted.double()]).numpy()
    key = key[:, rows]
    order = np.lexsort(key)
    new = (np.diff(key[:, order]) != 0).any(axis=0)
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.concatenate([[0], new.cumsum()])
    several = np.bincount(group)[group] > 1
    tied, group = rows[several], group[several]
    if len(tied) < LEAST:
        return None
    _, place, m = np.unique(group, return_inverse=True, return_counts=True)
    right = np.bincount(place, weights=predictions.correct.numpy()[tied])
    sure = np.bincount(place, weights=confidence[tied]) / m
    together = (right == 0) | (right == m)
    wrong, all_wrong = m.sum() - right.sum(), m[right == 0].sum()
    error = wrong / m.sum()
    chance = np.maximum(*(p**m + (1 - p) ** m for p in (np.full(len(m), error), sure)))
    beyond = together.sum() - chance.sum() - BEYOND * np.sqrt((chance * (1 - chance)).sum())
    nearly_all = min(together.mean(), all_wrong / max(wrong, 1)) >= 1 - MOST_MIXED
    if not nearly_all or not beyond > 0:
        return None
    n = int(m[together].sum())
    return (
        f"{n:,} of the {len(confidence):,} rows have the same outputs and label as another: if "
        "they are copies, intervals are too narrow, so leave copies out; if not, give each row an "
        "`id`"
    )


def _with_equals(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The rows, in order, that are not `SURE` and whose confidence another has exactly."""
    order = confidence.argsort()
    equal = np.diff(confidence[order]) == 0
    twice = np.pad(equal, (0, 1)) | np.pad(equal, (1, 0))
    rows = np.sort(order[twice])
    return rows[confidence[rows] < SURE]
