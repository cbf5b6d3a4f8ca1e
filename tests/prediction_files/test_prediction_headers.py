"""Tables without a header, and names in a header that are empty."""

from typing import Any

import pytest

from arcal.errors import ArcalError
from arcal.prediction_files import ColumnNames, read_predictions


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("no,0.01,0.99\nyes,0.25,0.75\n", "(no, 0.01, 0.99) reads as a row"),
        ("0.01,0.99,no\n0.25,0.75,yes\n", "(0.01, 0.99, no) reads as a row"),
        ("no,0,1\nno,1,0\n", "(no, 0, 1) reads as a row"),
        ("no;0,25;0,75\nyes;0;1\nno;0,5;0,5\n", "(no, 0,25, 0,75) reads as a row"),
        ("1,0.75\n0,0.25\n", "(1, 0.75) reads as a row"),
        ("cat,-1.5,2e-3\ndog,1.5,2\n", "(cat, -1.5, 2e-3) reads as a row"),
    ],
)
def test_a_table_without_a_header_is_said_to_have_none(tmp_path, text, line):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    every: list[dict[str, Any]] = [
        {},
        {"called": ColumnNames(label="label")},
        {"labelled": False, "classes": ("no", "yes")},
    ]
    for options in every:
        with pytest.raises(ArcalError) as caught:
            read_predictions(path, **options)
        said = str(caught.value)
        assert f"it seems to have no header, since its first line {line}" in said
        assert "put a line above it that names the" in said
        assert said.endswith(
            "such as label, probability" + "_cat, probability_dog" * (line[1] != "1")
        )
