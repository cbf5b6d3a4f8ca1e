"""Several labels for each input: annotators, words and pixels."""

import pytest
import torch

from arcal.auditing import as_predictions
from arcal.errors import ArcalError

LOGITS = 3 * torch.eye(3)
ANNOTATED = [[0, 1, 2], [2, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        (ANNOTATED, "of several annotators, or of words, give each label a row of its own"),
        (torch.zeros(3, 4, 4), "where pixels have labels, give each label a row of its own"),
        ([0, 255, 1], "number them from 0, and leave out inputs without a label"),
    ],
)
def test_the_line_says_what_to_do(labels: object, line: str):
    with pytest.raises(ArcalError, match=line) as error:
        as_predictions(logits=LOGITS, labels=labels)
    assert "argmax" not in str(error.value)


def test_logits_of_pixels_are_told_how_to_become_rows():
    with pytest.raises(ArcalError, match=r"movedim\(1, -1\).flatten\(0, -2\)"):
        as_predictions(logits=torch.zeros(2, 3, 4, 4), labels=[0, 1])
