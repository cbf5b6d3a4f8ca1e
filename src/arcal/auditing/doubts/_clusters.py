"""Whether inputs that may belong together, such as images of one patient, are wrong together."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from shlex import quote
from typing import Any, NamedTuple

import pyarrow as pa
import torch
from scipy.special import chdtrc
from torch import Tensor

from arcal.auditing._grouping import in_clusters
from arcal.auditing._predictions import Predictions
from arcal.auditing.doubts._order_and_scale import SIGNIFICANCE
from arcal.calibration.clusters import as_clusters
from arcal.errors import ArcalError

PART, PARTS = re.compile(r"[^\W\d_]+|\d+"), 6
"""Names are compared by up to six of their first parts, runs of letters or of digits."""
FEWEST_CLUSTERS = 20
"""Fewer groups are hospitals or recordings rather than clusters of a sample."""
WIDER = 1.1
"""Intervals must be at least this many times as wide to be worth a sentence."""


def suspect_clusters(
    predictions: Predictions,
    names: Sequence[str] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> str | None:
    """A sentence if inputs that may belong together are wrong together, or None.

    Inputs may belong together if they have the same value in one of the `columns`, of N values
    each, or if their `names` begin alike. These are compared up to each of their first six parts:
    those of p07/left3.png are p, p07, p07/left and so on. Columns with missing values, or without
    equal ones, are skipped, and so are groupings into fewer than 20, which may be hospitals rather
    than patients.

    Let a be the share of inputs that are right, e_i = correct_i - a, and v_i = a (1 - a). For names
    a is the share among inputs of the same label, as they may begin with the class. In a column it
    is not: if a patient's inputs have the same label, that alone makes intervals too narrow. If
    inputs are independent, then over all ordered pairs within one of K groups,

        z = sum e_i e_j / sqrt(2 sum v_i v_j)

    has mean 0 and variance 1, and K + z sqrt(2 K) is nearly a chi-square of K degrees of freedom.
    If groups have different numbers n_g of pairs, K is (sum n_g)^2 / sum n_g^2. With few errors sum
    e_i^2 e_j^2 may be larger than sum v_i v_j and takes its place.

    The sentence names the grouping that is least likely by chance. There is none if chance gives as
    much in one audit of a thousand or more, corrected for the number of groupings, or if the
    interval of the accuracy would be less than 1.1 times as wide with these clusters
    (`arcal.calibration.clusters.Clusters`).

    >>> from arcal.auditing import as_predictions
    >>> labels = [1, 0, 0, 1, 0, 1] * 20  # wrong on both images of every third patient
    >>> said = as_predictions(logits=[[0.1, 0.0], [0.0, 0.1]] * 60, labels=labels)
    >>> suspect_clusters(said, [f"p{i // 2}-{i % 2}.png" for i in range(120)])
    "inputs whose names begin alike, such as with p0, are right or wrong together: if they are of \
one patient, or belong together otherwise, intervals here are too narrow, the accuracy's by a \
factor of 1.4; a column of patients that --cluster names allows for it (in Python clusters=)"
    >>> suspect_clusters(said, [f"{i % 2}-{i // 2}.png" for i in range(120)])
    >>> suspect_clusters(said, columns={"patient": [i // 2 for i in range(120)]})[:56]
    'inputs with the same patient are right or wrong together'
    """
    correct = predictions.correct.double()
    by_column = [*_columns(columns or {})]
    by_name = [] if names is None else [*_beginnings(names)]
    every = torch.zeros_like(predictions.labels)
    labels = every if predictions.answers else predictions.labels
    groups = [*by_column, *by_name]
    chances = [_chance(*_residuals(correct, every), number) for number, _, _ in by_column]
    chances += [_chance(*_residuals(correct, labels), number) for number, _, _ in by_name]
    if not groups or min(chances) * (len(columns or ()) + PARTS) >= SIGNIFICANCE:
        return None
    number, alike, option = groups[chances.index(min(chances))]
    one = torch.ones_like(correct)
    together = as_clusters(number, predictions.confidence, predictions.correct, one)
    assert together is not None  # as there are numbers
    wider = math.sqrt(float(together.sizes(one).sum()) / len(correct))
    if wider < WIDER:
        return None
    inputs = "answers" if predictions.answers else "inputs"
    return (
        f"{inputs} {alike} are right or wrong together: if they are of one patient, or belong "
        "together otherwise, intervals here are too narrow, the accuracy's by a factor of "
        f"{wider:.2g}; {option} allows for it (in Python clusters=)"
    )


class _Groups(NamedTuple):
    """The group of each input, int64 `(N,)`, what is alike in a group, and the option to give."""

    number: Tensor
    alike: str
    option: str


def _columns(columns: Mapping[str, Any]) -> Iterator[_Groups]:
    for name, values in columns.items():
        with suppress(ArcalError):  # missing values, or none that are equal
            together = in_clusters(name, values)
            if len(together.groups) >= FEWEST_CLUSTERS:
                shown, option = together.name, f"--cluster {quote(name)}"
                yield _Groups(together.number, f"with the same {shown}", option)


def _beginnings(names: Sequence[str]) -> Iterator[_Groups]:
    ends = [[part.end() for part in islice(PART.finditer(name), PARTS)] for name in names]
    before = 0
    for part in range(PARTS):
        cut = zip(names, ends, strict=True)
        begins = [name[: end[part]] if part < len(end) else name for name, end in cut]
        encoded = pa.array(begins, pa.string()).dictionary_encode()
        G = len(encoded.dictionary)
        if len(names) == G:
            return
        if before < G and G >= FEWEST_CLUSTERS:
            number = torch.from_numpy(encoded.indices.to_numpy().astype("int64"))
            largest = encoded.dictionary[int(number.bincount().argmax())].as_py()
            alike = f"whose names begin alike, such as with {largest},"
            yield _Groups(number, alike, "a column of patients that --cluster names")
        before = G


def _residuals(correct: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
    """What is right less the mean of the same `kind`, and the variance of that, each `(N,)`."""
    _, kind = kind.unique(return_inverse=True)
    mean = torch.bincount(kind, weights=correct) / torch.bincount(kind)
    return correct - mean[kind], (mean * (1 - mean))[kind]


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
