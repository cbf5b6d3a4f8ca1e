"""Inputs grouped by a column of values."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import arcal
from arcal.auditing import as_predictions, grouping, groupings
from arcal.errors import ArcalError


def members(made, group: str) -> list[int]:
    return (made.number == made.groups.index(group)).nonzero()[:, 0].tolist()


@pytest.mark.parametrize(
    "values",
    [
        ["b", "a", None, "b"],
        np.array(["b", "a", None, "b"], dtype=object),
        pa.array(["b", "a", None, "b"]),
        pa.chunked_array([["b", "a"], [None, "b"]]).dictionary_encode(),
        ["b", "a", "", "b"],
        pa.array(["b", "a", " ", "b"], pa.large_string()),
    ],
)
def test_texts_of_any_container(values):
    made = grouping("region", values)
    assert made.groups == ("a", "b", "(none)")
    assert made.number.tolist() == [1, 0, 2, 1]


def test_few_numbers_are_groups_in_their_order():
    made = grouping("grade", [10, 2, 10, 1])
    assert made.groups == ("1", "2", "10")
    assert made.number.tolist() == [2, 1, 2, 0]
    assert grouping("x", torch.tensor([0.5, 2.0])).groups == ("0.5", "2")
    assert grouping("x", [np.nan, 2.0]).groups == ("2", "(none)")
    assert grouping("x", [True, False]).groups == ("false", "true")
    assert grouping("day", [datetime.date(2026, 3, 1)]).groups == ("2026-03-01",)
    assert grouping("nothing", [None, None]).groups == ("(none)",)


def test_no_two_groups_have_one_name():
    made = grouping("x", ["(none)", None, "a\x00", "a\\x00"])
    assert len(set(made.groups)) == len(made.groups) == 2
    assert made.number[0] == made.number[1]
    assert made.number[2] == made.number[3]
    assert len(set(grouping("x", [0.12345671, 0.12345672]).groups)) == 2
    long = [2**62, 2**62 + 1]  # as of a database: one float64
    assert grouping("x", long).groups == tuple(map(str, long))


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60))
def test_each_number_is_in_the_range_that_its_group_names(values):
    made = grouping("n", values)
    assert sum(len(members(made, group)) for group in made.groups) == len(values)
    last = None
    for group in made.groups:
        inside = [values[i] for i in members(made, group)]
        ends = [int(end) for end in group.split(" to ")]
        assert [min(inside), max(inside)] == [ends[0], ends[-1]]
        assert last is None or min(inside) > last
        last = max(inside)
    assert len(made.groups) <= 12


def test_ranges_hold_equally_many_where_there_are_no_ties():
    values = np.random.default_rng(0).permutation(1003) / 7
    made = grouping("n", values)
    assert made.number.bincount().tolist() == [201, 201, 200, 201, 200]
    assert torch.equal(grouping("n", values[::-1]).number.flip(0), made.number)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([str(i) for i in range(1001)], "1,001 different values"),
        ([1, "a"], "give texts, numbers or dates"),
        ([[1], [2]], "give texts, numbers or dates"),
        (3, "mine is 3: give a value for each input"),
    ],
)
def test_what_is_no_grouping_is_refused(values, line):
    with pytest.raises(ArcalError, match=line):
        grouping("mine", values)


class Table:
    """As much of a table of pandas or polars as is looked at."""

    def __init__(self, values):
        self.values, self.columns = values, list(values)

    def __getitem__(self, name):
        return self.values[name]

    def __bool__(self):
        raise ValueError("the truth of a table is ambiguous")


def test_a_table_groups_by_each_of_its_columns():
    columns = {"region": ["a", "b", "a"], "age": [1, 2, 2]}
    predictions = as_predictions(probabilities=[0.25, 0.75, 0.5], labels=[0, 1, 1])
    for table in (Table(columns), pa.table(columns)):
        assert len(arcal.audit(predictions, by=table).models[0].by_grouping) == 2
        assert [one.groups for one in groupings(table, 3)] == [("a", "b"), ("1", "2")]


def test_groupings_have_a_value_for_each_input():
    with pytest.raises(ArcalError, match="region has 2 values for 3 inputs"):
        groupings({"region": ["a", "b"]}, 3)
    with pytest.raises(ArcalError, match="by is a list"):
        groupings(["region"], 3)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("mark", ["T", " "])
def test_many_times_are_grouped_by_their_day(mark):
    times = [f"2026-11-{29 + i % 2}{mark}{i:02}:30:00Z" for i in range(20)]
    by_day = grouping("time", [*times, None])
    assert by_day.groups == ("2026-11-29", "2026-11-30", "(none)")
    assert by_day.number.tolist() == [0, 1] * 10 + [2]
    typed = pa.array(np.array([one[:16].replace(" ", "T") for one in times], "datetime64[s]"))
    assert grouping("time", typed).groups == by_day.groups[:2]
    assert len(grouping("time", times[:12]).groups) == 12, "a few times are groups of their own"
    assert len(grouping("time", [*times, "later"]).groups) == 21, "it has more than times"
