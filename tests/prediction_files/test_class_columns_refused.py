"""Columns called as the classes that hold no probabilities: which, and where."""

from pathlib import Path

import pytest

from arcal.errors import ArcalError
from arcal.prediction_files import read_predictions

ROWS = ["0,9;chat;0,1", "0,2;chien fou;0,8", "0,7;chat;0,3"]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ("93 %;chat;7 %", r"chat is not a number in row 3 \('93 %'\)"),
        (";chat;0,1", r"chat is not a number in row 3 \(''\)|chat is missing in row 3"),
        ("0,9;chat;NA", r"chien fou is not a number in row 3 \('NA'\)"),
        ("1,8;;1,2", "columns are called as the labels .* whose rows sum to 1"),
    ],
)
def test_the_row_that_is_no_number_is_named(tmp_path: Path, changed: str, line: str):
    file = tmp_path / "excel.csv"
    file.write_text("\n".join(["chat;label;chien fou", *ROWS, changed]), encoding="utf-8-sig")
    with pytest.raises(ArcalError, match=line):
        read_predictions(file)


def test_a_class_with_two_columns_is_named(tmp_path: Path):
    file = tmp_path / "excel.csv"
    file.write_text("\n".join(["chat;label;chien fou;chat", *(f"{row};0,5" for row in ROWS)]))
    with pytest.raises(ArcalError, match="there are 2 columns chat: keep one"):
        read_predictions(file)


def test_a_blank_confidence_is_named_and_not_a_decimal_comma(tmp_path: Path):
    file = tmp_path / "answers.csv"
    file.write_text("n;confidence;correct\n1;0,9;1\n2;;0\n3;0,7;1\n")
    with pytest.raises(ArcalError, match=r"confidence is .* in row 1"):
        read_predictions(file)
