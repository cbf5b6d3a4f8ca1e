"""The page that people work with: an audit's findings, poured into one HTML file.

The page itself is built from `page/` (TypeScript; `make page`) into `explorer.html` beside this
file; nobody needs Node to install or run arcal. What it draws is a `Payload`: findings as JSON
values, and what is said of each input as columns of numbers. `page/src/payload.ts` has the same
types for the page.
"""

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from arcal.errors import ArcalError
from arcal.files import check_replaceable, write_whole
from arcal.report.comparison_types import SeveralSubjects

FORMAT = 1
"""Increased when the page of an earlier format would draw a payload wrongly."""

Verdict = Literal["over-confident", "under-confident", "not shown", "too few"]
Dtype = Literal["int8", "int16", "int32", "float32", "float64", "uint16", "share"]


class Estimate(TypedDict):
    """A figure with its 95 % interval, and the number of inputs it rests on; None is unknown."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Group(TypedDict):
    """The figures of a level, a class or a cell of both. `gap` is confidence minus accuracy."""

    name: str
    n: int
    accuracy: Estimate
    confidence: float | None
    gap: Estimate
    ece: Estimate
    error_share: float | None
    few: bool
    verdict: Verdict


class Level(Group):
    """`distance` is the least and the greatest of the level; the latter None: none was found."""

    distance: NotRequired[tuple[float | None, float | None] | None]


_OfClass = TypedDict("_OfClass", {"class": int})  # a word that cannot be a field's name


class Cell(Group, _OfClass):
    """The figures of one class, by its number, in one level, from 0."""

    level: int


class Bin(TypedDict):
    """One bin (low, high] of a reliability diagram; `accuracy_low` and `_high` are its interval."""

    low: float
    high: float
    count: int
    accuracy: float | None
    confidence: float | None
    accuracy_low: float | None
    accuracy_high: float | None


class RobustAccuracyAt(TypedDict):
    """The share of inputs that are right and that no change of at most `radius` flips."""

    radius: float
    accuracy: Estimate


class Column(TypedDict):
    """Numbers, little-endian in base64, made by `column`. "share" is uint16, 65535 being 1."""

    dtype: Dtype
    shape: list[int]
    data: str


class IfCalibrated(TypedDict):
    """What a calibrated model would show: its ECE on as many inputs, and one rarely exceeded."""

    value: float | None
    high: float | None


class Overall(TypedDict):
    """The figures over all inputs."""

    n: int
    accuracy: Estimate
    confidence: float | None
    gap: Estimate
    ece: Estimate
    ece_if_calibrated: IfCalibrated | None
    smooth_ece: Estimate
    nll: Estimate
    brier: Estimate


class Shift(TypedDict):
    """Figures under one corruption; with `predicted` int16 and `confidence`, `(N,)`, of each input.

    A `predicted` of -1 is an input that was not corrupted.
    """

    type: str
    intensity: int | None
    accuracy: Estimate
    ece: Estimate
    gap: Estimate
    predicted: NotRequired[Column | None]
    confidence: NotRequired[Column | None]


class Other(TypedDict):
    """How well confidence and entropy tell another data set's inputs from these."""

    name: str
    n: int
    auroc_confidence: float | None
    auroc_entropy: float | None


class Calibration(TypedDict):
    """What one calibrator does; `nll_difference` is after minus before."""

    name: str
    title: str
    preserves_accuracy: bool
    ece_before: Estimate
    ece_after: Estimate
    smooth_ece_before: NotRequired[Estimate | None]
    smooth_ece_after: NotRequired[Estimate | None]
    nll_before: Estimate
    nll_after: Estimate
    nll_difference: Estimate
    recommended: bool


class ModelInputs(TypedDict):
    """What one model says of each of the N inputs, in the order of the payload's `inputs`.

    `distance` is inf where no boundary was found; `nearest`, `level` and both ranks, which start at
    0, are -1 where there is none. `top_class` and `top_probability` are `(N, k)`, highest first.
    Those that begin with `calibrated_` are after the calibration `calibrated_by`, NaN (a predicted
    class: -1) where the input was fitted on.
    """

    predicted: Column
    confidence: Column
    label_probability: Column
    top_class: Column
    top_probability: Column
    loss: NotRequired[Column | None]
    distance: NotRequired[Column | None]
    nearest: NotRequired[Column | None]
    level: NotRequired[Column | None]
    suspect_rank: NotRequired[Column | None]
    fragile_rank: NotRequired[Column | None]
    calibrated_predicted: NotRequired[Column | None]
    calibrated_confidence: NotRequired[Column | None]
    calibrated_top_class: NotRequired[Column | None]
    calibrated_top_probability: NotRequired[Column | None]


class Sheets(TypedDict):
    """Pictures of one size, in sheets of `rows` lines of `per_row`, as `data:` addresses."""

    width: int
    height: int
    per_row: int
    rows: int
    sheets: list[str]


class PerturbedPictures(TypedDict):
    """Pictures of n perturbations, times `amplification`, and of the perturbed inputs.

    `original` are the inputs as they are, None where the thumbnails are as large.
    """

    amplification: float
    original: Sheets | None
    perturbation: Sheets
    perturbed: Sheets


class Perturbations(TypedDict):
    """What it takes to change the prediction of n inputs.

    `inputs` int32 `(n,)` are their positions among the payload's inputs, in the order of the
    pictures; `top_class` and `top_probability` `(n, k)` are of the perturbed ones. `values`
    `(n, C)` are the perturbed rows of a table.
    """

    inputs: Column
    top_class: Column
    top_probability: Column
    amplification: NotRequired[float | None]
    original: NotRequired[Sheets | None]
    perturbation: NotRequired[Sheets | None]
    perturbed: NotRequired[Sheets | None]
    values: NotRequired[Column | None]


class Model(TypedDict):
    """One model's findings.

    `classes` are by predicted class, in the order of the data's classes; `cells` only those that
    hold inputs.
    """

    name: str
    facts: dict[str, str]
    sentence: str
    order: Literal["attack", "gradient", "margin", "confidence", "random"] | None
    overall: Overall
    reliability: list[Bin]
    levels: list[Level] | None
    robust_accuracy: NotRequired[list[RobustAccuracyAt] | None]
    classes: list[Group]
    cells: list[Cell]
    shift: list[Shift]
    other: list[Other]
    calibrations: list[Calibration]
    calibrated_by: NotRequired[str | None]
    inputs: ModelInputs
    perturbations: NotRequired[Perturbations | None]


class DataFacts(TypedDict):
    """The data set: `n` is how many inputs the findings rest on."""

    name: str
    n: int
    kind: Literal["images", "table", "texts", "predictions"]
    classes: list[str]
    facts: dict[str, str]


class Done(TypedDict):
    """How many inputs are audited, and of how many."""

    inputs: int
    of: int


class Inputs(TypedDict):
    """The inputs that are listed: `id` int32 or float64, `label` int16 or int32, all `(N,)`."""

    id: Column
    label: Column
    name: NotRequired[Sequence[str] | None]
    weight: NotRequired[Column | None]


class Table(TypedDict):
    """The inputs as rows of numbers: `values` `(N, C)`."""

    columns: list[str]
    values: Column


class Payload(TypedDict):
    """Everything the page draws. `listed` says which inputs are listed where not all of them are.

    `images` has a tile for each input, `texts` a text, `table` a row; None where there are none.
    With a `comparison` over their runs, each of the `models` is one run of a subject.
    """

    format: int
    arcal: str
    title: str
    sentence: str
    notes: list[str]
    data: DataFacts
    done: Done
    listed: NotRequired[str | None]
    inputs: Inputs
    models: list[Model]
    images: NotRequired[Sheets | None]
    texts: NotRequired[Sequence[str] | None]
    table: NotRequired[Table | None]
    comparison: NotRequired[SeveralSubjects | None]


def column(values: Any, dtype: Dtype) -> Column:
    """Numbers `(N,)` or `(N, k)`, an array or a tensor on the CPU, as the page reads them.

    "share" is for probabilities where 1/65535 is enough. Integers that the type does not hold raise
    `ArcalError`.

    >>> column([1, -1], "int16")
    {'dtype': 'int16', 'shape': [2], 'data': 'AQD//w=='}
    """
    array = np.asarray(values)
    if dtype == "share":
        stored = np.rint(np.clip(array.astype(np.float64), 0, 1) * 65535).astype("<u2")
    else:
        stored = array.astype(np.dtype(dtype).newbyteorder("<"))
        if stored.dtype.kind in "iu" and not np.array_equal(stored, array):
            raise ArcalError(f"{dtype} does not hold all of the values, which go to {array.max()}")
    data = base64.b64encode(np.ascontiguousarray(stored).tobytes()).decode()
    return {"dtype": dtype, "shape": list(stored.shape), "data": data}


def write_explorer(path: Path | str, payload: Payload | Mapping[str, Any]) -> Path:
    """Write the page of a `Payload`; returns its path.

    One file that fetches nothing: names and texts of users are escaped, and the page's policy runs
    no script but the one it was built with. The same payload gives the same bytes.

    >>> write_explorer("audit.html", payload).name  # doctest: +SKIP
    'audit.html'
    """
    if payload.get("format") != FORMAT:
        raise ArcalError(
            f"the page draws payloads of format {FORMAT}, not {payload.get('format')}: write both "
            "with one version of arcal"
        )
    page = Path(__file__).with_name("explorer.html").read_text(encoding="utf-8")
    head, title, rest = _split(page, "<title>arcal audit</title>")
    before, _, after = _split(rest, '<script id="payload" type="application/json">null</script>')
    title = f"<title>{html.escape(_clean(str(payload['title'])))}</title>"
    data = f'<script id="payload" type="application/json">{_json(payload)}</script>'
    text = head + title + before + data + after
    path = Path(path)
    check_replaceable(path)
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))
    return path


def _split(page: str, place: str) -> tuple[str, str, str]:
    head, middle, rest = page.partition(place)
    if not middle:
        raise ArcalError(f"explorer.html has no {place}: rebuild it with `make page`")
    return head, middle, rest


_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029\x7f"}


def _json(payload: Any) -> str:
    """JSON that ends no script element and starts no comment, whatever is in it."""
    text = json.dumps(_finite(payload), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def _finite(value: Any) -> Any:
    """The value with None for what is not finite, and without lone surrogates."""
    if isinstance(value, Mapping):
        return {_clean(str(key)): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
