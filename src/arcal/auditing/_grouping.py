"""Groups of inputs by what is known about them, such as the hospital or the age of a patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_integers, as_weights
from arcal.errors import ArcalError, a_type, first_line
from arcal.orders import random_order
from arcal.printable import printable

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

MOST_NUMBERS, RANGES_OF_NUMBERS = 12, 5
"""A column with more different numbers than the first is cut into as many ranges as the second."""
TIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d"
"""How times begin. More than `MOST_NUMBERS` different times are grouped by day."""
MOST_GROUPS = 1000
"""A column with more different texts is taken for names of the inputs."""
DRAW = 2
"""The seed of `one_per`, different from that of the order in which inputs are audited."""
NONE = "(none)"
"""The group of inputs without a value."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """N inputs in groups: `number` int64 `(N,)` is the place of each input's group in `groups`.

    `name` says what the inputs are grouped by. Made by `grouping`.
    """

    name: str
    groups: tuple[str, ...]
    number: Tensor

    def rows(self, chosen: Tensor) -> "Grouping":
        """The same grouping of some of the inputs, by position int64 `(n,)`."""
        return Grouping(self.name, self.groups, self.number[chosen])

    def is_of(self, labels: Tensor) -> bool:
        """Whether groups and labels int64 `(N,)` correspond one to one, and there are several."""
        pairs = torch.stack([self.number, labels]).unique(dim=1)
        return len(pairs[0].unique()) == len(pairs[1].unique()) == pairs.shape[1] > 1


def grouping(name: str, values: Any) -> Grouping:
    """Group N inputs by a value each: a list, an array, a tensor, or a column of a table.

    Each text, date, boolean or number is a group of its own, in order. More than 12 different
    numbers are cut into five ranges with about as many inputs each, and more than 12 different
    times, such as 2026-11-30T09:15:00Z, are grouped by day in the time zone they are written in.
    Inputs with no value, nan or a blank text are the last group. Values of mixed types, and more
    than 1,000 different texts, raise `ArcalError`.

    >>> grouping("hospital", ["north", "south", None, "north"]).groups
    ('north', 'south', '(none)')
    >>> ages = grouping("age", range(20, 70))
    >>> ages.groups, ages.number.bincount().tolist()
    (('20 to 29', '30 to 39', '40 to 49', '50 to 59', '60 to 69'), [10, 10, 10, 10, 10])
    """
    column = _column(name, values)
    known = column.drop_null()
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers = known.to_numpy(zero_copy_only=False)
        groups, place = _number_groups(numbers)
    else:
        texts = _by_day(known.cast(pa.string())).dictionary_encode()
        different = np.array(texts.dictionary.to_pylist(), dtype=object)
        if len(different) > MOST_GROUPS:
            raise ArcalError(
                f"{name} has {len(different):,} different values, more than {MOST_GROUPS:,}: does "
                "it name the inputs? Give a column with fewer"
            )
        shown = np.array([printable(text) for text in different], dtype=object)
        names, group = np.unique(shown, return_inverse=True)  # one group for texts that print alike
        groups, place = names.tolist(), group[texts.indices.to_numpy(zero_copy_only=False)]
    without = groups.index(NONE) if NONE in groups else len(groups)
    number = torch.full((len(column),), without, device="cpu")
    has_value = column.is_valid().to_numpy(zero_copy_only=False)
    number[torch.from_numpy(has_value.copy())] = torch.from_numpy(place.astype(np.int64))
    rest = [] if has_value.all() or without < len(groups) else [NONE]
    return Grouping(printable(name), (*groups, *rest), number)


def in_clusters(name: str, values: Any, N: int | None = None, *, several: bool = True) -> Grouping:
    """Group N inputs that belong together, such as images of one patient, by a value each.

    As `grouping`, but every different value is a group of its own, however many there are. A
    missing value, a wrong number of values, and, if there must be `several` inputs in some of
    several clusters, values that are all different or all the same raise `ArcalError`.

    >>> in_clusters("patient", ["Ann", "Bo", "Ann"]).number
    tensor([0, 1, 0])
    """
    column = _column(name, values)
    if N is not None and len(column) != N:
        raise ArcalError(f"{name} has {len(column):,} values for {N:,} inputs")
    if column.null_count:
        raise ArcalError(
            f"{name} is missing in row {_first_missing(column)}: fill it in, or leave the row out"
        )
    texts = column.cast(pa.string()).dictionary_encode()
    N, G = len(texts), len(texts.dictionary)
    if several and G in (1, N):
        different = "the same" if G == 1 else "different"
        raise ArcalError(
            f"the {N:,} values of {name} are all {different}: give values that tell which inputs "
            "belong together"
        )
    number = torch.from_numpy(texts.indices.to_numpy(zero_copy_only=False).astype(np.int64))
    return Grouping(printable(name), tuple(map(printable, texts.dictionary.to_pylist())), number)


def _first_missing(column: pa.Array) -> int:
    return column.is_null().to_pylist().index(True)


def _by_day(texts: Any) -> Any:
    """Texts cut to their days if they are more than a few different times; others unchanged."""
    few = pc.count_distinct(texts).as_py() <= MOST_NUMBERS
    if few or not pc.all(pc.match_substring_regex(texts, TIME)).as_py():
        return texts
    return pc.utf8_slice_codeunits(texts, 0, len("2026-11-30"))


def groupings(by: Any, N: int | None) -> tuple[Grouping, ...]:
    """A `grouping` of N inputs for each name; a wrong number of values raises `ArcalError`.

    If N is None, it is the number of values of the first.

    `by` maps names to values, or is a pandas, polars or Arrow table, of which all columns are used,
    or one named column of pandas or polars.

    >>> [one.name for one in groupings({"sex": ["f", "m"], "age": [30, 40]}, 2)]
    ['sex', 'age']
    """
    if isinstance(name := getattr(by, "name", None), str) and name and np.ndim(by) == 1:
        by = {name: by}
    names = by if isinstance(by, Mapping) else getattr(by, "column_names", None)  # Arrow's
    if names is None and (names := getattr(by, "columns", None)) is None:
        raise ArcalError(
            f"by is {a_type(by)}: give a mapping from names to a value for each input, or a table"
        )
    made = tuple(grouping(str(name), by[name]) for name in names)
    for one in made:
        N = len(one.number) if N is None else N
        if len(one.number) != N:
            raise ArcalError(f"{one.name} has {len(one.number):,} values for {N:,} inputs")
    return made


def one_per(
    values: Any,
    ids: TensorLike | None = None,
    *,
    weights: TensorLike | None = None,
    name: str = "values",
) -> Tensor:
    """Draw one input of each value at random: ascending int64 positions `(n,)`.

    `values` `(N,)` are as in `grouping`, such as the patient of each of N images. Intervals, tests
    and the folds of calibrators assume independent inputs, and several images of one patient are
    not. The draw depends on the `ids` int64 `(N,)`, by default 0 .. N-1, and not on the order of
    the inputs. An input whose weight in `weights` `(N,)` is 0 is only drawn if all others of its
    value have weight 0, too. A missing value, and a wrong number of ids, raise `ArcalError`.

    Figures then describe patients, who all count the same however many images they have. To
    describe images, weight each drawn image by its patient's number of images.

    >>> one_per(["Ann", "Bo", "Ann", "Bo", "Cy"])
    tensor([1, 2, 4])
    """
    column = _column(name, values)
    N = len(column)
    if column.null_count:
        raise ArcalError(
            f"{name} is missing in row {_first_missing(column)}: fill it in or leave the row out, "
            "so that one input of each can be drawn"
        )
    ids = torch.arange(N, device="cpu") if ids is None else as_integers(ids, "ids")
    if len(ids) != N:
        raise ArcalError(f"{name} has {N:,} values for {len(ids):,} inputs")
    group = column.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    nothing = as_weights(weights, N).numpy() == 0
    order = np.lexsort((random_order(ids, seed=DRAW).numpy(), nothing))
    _, first = np.unique(group[order], return_index=True)
    return torch.from_numpy(order[first]).sort().values


def _column(name: str, values: Any) -> pa.Array:
    """The values as one Arrow array, with null in place of nan and blank texts."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    elif isinstance(values, Tensor):
        values = values.tolist()
    elif not isinstance(values, pa.Array):
        try:
            values = values if hasattr(values, "dtype") else list(values)
        except TypeError as error:
            raise ArcalError(f"{name} is {values!r}: give a value for each input") from error
    try:
        column = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
            column = column.cast(pa.float32()) if column.type == pa.float16() else column
            column = pc.add(column, pa.scalar(0, column.type))  # -0.0 becomes 0.0
        if pa.types.is_null(column.type):
            column = column.cast(pa.string())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            blank = pc.equal(pc.utf8_trim_whitespace(column), "")  # such as an empty cell of a CSV
            column = pc.if_else(blank, None, column)
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            raise ArcalError(f"{name} holds {column.type}: give texts, numbers or dates")
        return column
    except (pa.ArrowException, TypeError) as error:
        raise ArcalError(
            f"{name} cannot be read ({first_line(error)}): give texts, numbers or dates"
        ) from error


def _number_groups(values: np.ndarray) -> tuple[Sequence[str], np.ndarray]:
    """The groups of numbers, and the group of each number."""
    different, place = np.unique(values, return_inverse=True)
    if len(different) <= MOST_NUMBERS:
        words = [_in_words(value) for value in different]
        return words if len({*words}) == len(words) else [repr(float(v)) for v in different], place
    shares = np.arange(1, RANGES_OF_NUMBERS) / RANGES_OF_NUMBERS
    ends = np.unique(np.quantile(values, shares, method="inverted_cdf"))
    place = np.searchsorted(ends[ends < different[-1]], values)
    inside = [values[place == r] for r in range(place.max() + 1)]
    return _ranges_in_words([(some.min(), some.max()) for some in inside]), place


def _ranges_in_words(ranges: Sequence[tuple[Any, Any]]) -> list[str]:
    """The ranges in words, with as many digits as it takes to tell all ends apart."""
    for digits in (6, 9, 12, 17):
        ends = [tuple(_in_words(end, digits) for end in range) for range in ranges]
        different = {end for range in ranges for end in range}
        if len({word for pair in ends for word in pair}) == len(different):
            break
    return [low if low == high else f"{low} to {high}" for low, high in ends]


def _in_words(value: Any, digits: int = 6) -> str:
    if isinstance(value, np.integer) or (value.is_integer() and abs(value) < 1e15):
        return str(int(value))
    before_the_point = len(str(int(abs(value)))) if abs(value) < 1e15 else 0
    return f"{value:.{max(digits, before_the_point)}g}"
