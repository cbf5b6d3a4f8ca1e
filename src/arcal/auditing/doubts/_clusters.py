"""Whether inputs that may belong together, such as images of one patient, are wrong together."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from shlex import quote
from typing import Any

import torch
from scipy.special import chdtrc
from torch import Tensor

from arcal.auditing._grouping import in_clusters
from arcal.auditing._predictions import Predictions
from arcal.auditing.doubts._order_and_scale import SIGNIFICANCE
from arcal.calibration.clusters import as_clusters
from arcal.errors import ArcalError
from arcal.printable import printable

FEWEST_CLUSTERS = 20
"""Fewer groups are hospitals or recordings rather than clusters of a sample."""
WIDER = 1.1
"""Intervals must be at least this many times as wide to be worth a sentence."""


def suspect_clusters(predictions: Predictions, columns: Mapping[str, Any]) -> str | None:
    """A sentence if inputs that may belong together are wrong together, or None.

    Inputs may belong together if they have the same value in one of the `columns`, of N values
    each. Columns with missing values, or without equal ones, are skipped, and so are groupings into
    fewer than 20, which may be hospitals rather than patients.

    Let a be the share of inputs that are right, e_i = correct_i - a, and v = a (1 - a). If inputs
    are independent, then over all ordered pairs within one of K groups,

        z = sum e_i e_j / sqrt(2 sum v^2)

    has mean 0 and variance 1, and K + z sqrt(2 K) is nearly a chi-square of K degrees of freedom.
    If groups have different numbers n_g of pairs, K is (sum n_g)^2 / sum n_g^2. With few errors sum
    e_i^2 e_j^2 may be larger than sum v^2 and takes its place.

    The sentence names the column that is least likely by chance. There is none if chance gives as
    much in one audit of a thousand or more, corrected for the number of columns, or if the interval
     of the accuracy would be less than 1.1 times as wide with these clusters
    (`arcal.calibration.clusters.Clusters`).

    >>> from arcal.auditing import as_predictions
    >>> labels = [1, 0, 0, 1, 0, 1] * 20  # wrong on both images of every third patient
    >>> said = as_predictions(logits=[[0.1, 0.0], [0.0, 0.1]] * 60, labels=labels)
    >>> suspect_clusters(said, {"patient": [i // 2 for i in range(120)]})
    "inputs with the same patient are right or wrong together: if they are of one patient, or \
belong together otherwise, intervals here are too narrow, the accuracy's by a factor of 1.4; \
--cluster patient allows for it (in Python clusters=)"
    """
    correct = predictions.correct.double()
    share = correct.mean()
    residual, variance = correct - share, (share * (1 - share)).expand(len(correct))
    groups = [*_columns(columns)]
    chances = [_chance(residual, variance, number) for number, _ in groups]
    if not groups or min(chances) * len(columns) >= SIGNIFICANCE:
        return None
    number, name = groups[chances.index(min(chances))]
    one = torch.ones_like(correct)
    together = as_clusters(number, predictions.confidence, predictions.correct, one)
    assert together is not None  # as there are numbers
    wider = math.sqrt(float(together.sizes(one).sum()) / len(correct))
    if wider < WIDER:
        return None
    inputs = "answers" if predictions.answers else "inputs"
    return (
        f"{inputs} with the same {printable(name)} are right or wrong together: if they are of one "
        "patient, or belong together otherwise, intervals here are too narrow, the accuracy's by a "
        f"factor of {wider:.2g}; --cluster {quote(name)} allows for it (in Python clusters=)"
    )


def _columns(columns: Mapping[str, Any]) -> Iterator[tuple[Tensor, str]]:
    """The group of each input, int64 `(N,)`, and the name of each column that can tell clusters."""
    for name, values in columns.items():
        with suppress(ArcalError):  # missing values, or none that are equal
            together = in_clusters(name, values)
            if len(together.groups) >= FEWEST_CLUSTERS:
                yield together.number, name


def _chance(e: Tensor, v: Tensor, number: Tensor) -> float:
    """How often independent residuals of variance v come together in these groups as e do here."""
    possible = max(_pairs(e.square(), number), _pairs(v, number))
    if possible <= 0:
        return 1.0
    z = _pairs(e, number) / math.sqrt(2 * possible)
    size = torch.bincount(number).double()
    pairs = size * (size - 1)
    K = float(pairs.sum().square() / pairs.square().sum())
    return float(chdtrc(K, max(K + z * math.sqrt(2 * K), 0.0)))


def _pairs(values: Tensor, number: Tensor) -> float:
    """The sum of the products of two values in one group, over ordered pairs."""
    sums, squares = (torch.bincount(number, weights=values**k) for k in (1, 2))
    return float((sums.square() - squares).sum())
