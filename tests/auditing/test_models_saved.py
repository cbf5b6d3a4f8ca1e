"""Saved predictions: the same numbers from any container, and one line for each fault."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from arcal.auditing import as_predictions
from arcal.errors import ArcalError

Z = [[2.0, -1.0, 0.5], [0.0, 3.0, -2.0], [1.0, 1.0, 4.0], [5.0, 0.0, 0.0]]
P = torch.tensor(Z, dtype=torch.float64).softmax(dim=1)
LABELS = [0, 1, 2, 1]


@pytest.mark.parametrize(
    "kind",
    [list, np.array, torch.tensor, lambda rows: [torch.tensor(row) for row in rows], tuple],
)
@pytest.mark.parametrize("labels", [list, np.array, torch.tensor, lambda y: np.array(y, float)])
def test_every_container_of_logits(kind, labels):
    predictions = as_predictions(logits=kind(Z), labels=labels(LABELS))
    assert predictions.logits.tolist() == [Z]
    assert predictions.labels.tolist() == LABELS
    assert predictions.ids.tolist() == [0, 1, 2, 3]
    assert predictions.labels.dtype == predictions.ids.dtype == torch.int64
    torch.testing.assert_close(predictions.log_probabilities.exp(), P, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("dtype", "kept", "rtol"),
    [
        (torch.float64, torch.float64, 1e-12),
        (torch.float32, torch.float32, 1e-6),
        (torch.bfloat16, torch.float32, 2e-2),
        (torch.float16, torch.float32, 2e-3),
    ],
)
def test_probabilities_are_the_softmax_of_what_is_returned(dtype, kept, rtol):
    predictions = as_predictions(probabilities=P.to(dtype), labels=LABELS)
    assert predictions.logits.dtype == kept
    p = predictions.log_probabilities.exp()
    torch.testing.assert_close(p, P, rtol=rtol, atol=0)
    torch.testing.assert_close(p.sum(dim=1), torch.ones(4, dtype=torch.float64))


def test_a_confidence_next_to_1_is_not_lost_in_float64():
    predictions = as_predictions(probabilities=[[1e-12, 1 - 1e-12]], labels=[0])
    assert -predictions.log_probabilities[0, 0] == pytest.approx(12 * math.log(10))


def test_a_class_that_cannot_be():
    predictions = as_predictions(probabilities=[[1, 0, 0], [0.5, 0.5, 0]], labels=[0, 1])
    assert predictions.log_probabilities.exp().tolist() == [[1, 0, 0], [0.5, 0.5, 0]]
    masked = as_predictions(logits=[[1.0, -math.inf], [1, 0]], labels=[0, 1])
    assert masked.log_probabilities[0].tolist() == [0, -math.inf]


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_a_binary_classifier(shape):
    z = torch.tensor([-3.0, 0.5, 40.0, 2.0], dtype=torch.float64)
    labels = torch.tensor([0, 1, 0, 1])
    by_logit = as_predictions(logits=z.reshape(shape), labels=labels)
    by_p = as_predictions(probabilities=z[:2].sigmoid().reshape(shape), labels=labels[:2])
    loss = F.nll_loss(by_logit.log_probabilities, labels)
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(z, labels.double()))
    torch.testing.assert_close(by_p.log_probabilities, by_logit.log_probabilities[:2])


def test_members_of_an_ensemble_and_ids():
    z = torch.randn(2, 4, 3, dtype=torch.float64)
    ids = np.array([7, 3, 900, 0])
    predictions = as_predictions(logits=z, labels=LABELS, ids=ids)
    assert predictions.ids.tolist() == ids.tolist()
    mean = z.softmax(dim=-1).mean(dim=0)
    torch.testing.assert_close(predictions.log_probabilities.exp(), mean)
    by_p = as_predictions(probabilities=z.softmax(dim=-1), labels=LABELS)
    torch.testing.assert_close(by_p.log_probabilities.exp(), mean)


NAN, INF = math.nan, math.inf


def cases(field, *pairs):
    return [(field, value, what) for value, what in pairs]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        *cases(
            "logits",
            ([*Z[:2], [1, NAN, 0], [NAN, 0, 0]], "logits hold NaN in row 2"),
            ([Z[0], [1, INF, 0], *Z[2:]], "infinite in row 1"),
            ([*Z[:3], [-INF] * 3], "infinite in row 3"),
            ([Z, [Z[0], [NAN, 0, 0], *Z[2:]]], "NaN in row 1 of member 1"),
            (P, "rows sum to 1: give them as "),
            (P.float(), "give them as "),
            (P * 100, "these are per cent: divide them by 100"),
            ([[0.33] * 3, [0.34, 0.34, 0.33]] * 2, "rows sum to 1: give them as "),
            ([[33.0] * 3, [34.0, 34.0, 33.0]] * 2, "these are per cent: divide them by 100"),
            (P[:, 0], "lie in .0, 1.: give them as "),
            ([[1.0, 2], [3]], "logits is not an array .*: pass a tensor or an array"),
            ([["a", "b"]], "logits must be numbers, not text"),
            (torch.zeros(4, 0), r"shape \(4, 0\)"),
            (torch.zeros(0, 3), r"shape \(0, 3\)"),
            ([], r"shape \(0, 1\)"),
            (torch.zeros(1, 2, 4, 3), r"shape \(1, 2, 4, 3\)"),
            (torch.ones(4, 3).bool(), "torch.bool"),
            (Z[:3], r"labels have shape \(4,\), and there are 3 inputs"),
        ),
        *cases(
            "probabilities",
            (Z, "are outside .0, 1. in row 0: if they are logits, name"),
            ([[0.5, 0.5, 0], [NAN, 0.5, 0.5]] + [[1, 0, 0]] * 2, "NaN in row 1"),
            (
                P * torch.tensor([[1], [1], [0.9], [0.8]]),
                "do not sum to 1 in row 2: give all classes, with more digits",
            ),
            (P[:, :2], "do not sum to 1 in row .*where several classes may be true, give each as"),
            ([-0.5, 0.5, 0.5, 2], "are outside .0, 1. in row 0"),
        ),
        *cases(
            "labels",
            ([0, 1, 3, 4], "label of row 2 is 3, and the 3 classes are 0 .. 2"),
            ([0, -1, 0, 0], "label of row 1 is -1"),
            ([0, 1, 2, 1.5], "row 3 has 1.5"),
            ([0, NAN, 0, 0], "row 1 has nan"),
            (P, r"labels have shape \(4, 3\).*; for one-hot rows give argmax\(axis=1\)"),
            ([[0, 1, 0], [1, 1, 0]] * 2, "several classes may be true give each as a binary"),
            (["cat", "dog", "cat", "dog"], "labels are names: give `classes`"),
        ),
        *cases(
            "ids",
            ([5, 1, 5, 1], "id 5 of row 2 occurs twice"),
            ([0, 1, 2], r"ids have shape \(3,\)"),
            ([0, 0.5, 1, 2], "row 1 has 0.5"),
            (
                np.array([1, 2, 3, 2**63], "u8"),
                r"ids has 9223372036854775808, and the largest possible is 2\*\*63 - 1",
            ),
        ),
    ],
)
def test_a_fault_is_one_line_that_names_its_row(field, value, what):
    given = {"logits": Z, "labels": LABELS} | {field: value}
    if field == "probabilities":
        del given["logits"]
    with pytest.raises(ArcalError, match=what) as caught:
        as_predictions(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda names: np.array(names, object)])
def test_labels_may_be_names_of_the_classes(kind):
    logits, labels = 9 * np.eye(3), kind(["cat", "dog", "cat"])
    said = as_predictions(logits=logits, labels=labels, classes=["dog", "fox", "cat"])
    assert said.labels.tolist() == [2, 0, 2]
    with pytest.raises(ArcalError, match="labels are names: give `classes`, the names in the ord"):
        as_predictions(logits=logits, labels=labels)
    with pytest.raises(ArcalError, match="the label of row 1 is 'dog', and the classes are cat, c"):
        as_predictions(logits=logits, labels=labels, classes=["cat", "cow", "fox"])
    with pytest.raises(ArcalError, match="`classes` names 2, and there are 3: name each once"):
        as_predictions(logits=logits, labels=labels, classes=["cat", "dog"])


class Table:
    """As much of a table of pandas or polars as is looked at."""

    def __init__(self, rows, columns):
        self.rows, self.columns = np.array(rows), columns

    def __array__(self, dtype=None, copy=None):
        return self.rows


@pytest.mark.parametrize("field", ["logits", "probabilities"])
def test_classes_are_in_the_order_of_a_tables_columns(field):
    """In another order every probability was taken for another class's."""
    given = {field: Table([[0.75, 0.25], [0.125, 0.875]], ["dog", "cat"])}
    if field == "logits":
        given[field].rows *= 9
    labels = ["dog", "cat"]
    assert as_predictions(**given, labels=labels, classes=["dog", "cat"]).correct.all()
    other = Table(given[field].rows, [0, 1])
    assert not as_predictions(**{field: other}, labels=labels, classes=["cat", "dog"]).correct.any()
    with pytest.raises(ArcalError, match="columns are in the order dog, cat, and `classes` in"):
        as_predictions(**given, labels=labels, classes=["cat", "dog"])


class Index(list):
    """As much of an index of pandas as is looked at."""

    equals = list.__eq__


def test_rows_are_in_the_order_of_the_labels():
    """By position every probability was taken for another row's."""
    table, labels = Table([[0.75, 0.25], [0.125, 0.875]], [0, 1]), Table([0, 1], ())
    table.index, labels.index = Index("ab"), Index("ab")  # pyright: ignore
    assert as_predictions(probabilities=table, labels=labels).correct.all()
    table.index, labels.index = Index("ab"), Index("ba")  # pyright: ignore
    with pytest.raises(ArcalError, match="row 0 is 'a' by its index, and 'b' by that of the label"):
        as_predictions(probabilities=table, labels=labels)


def test_either_logits_or_probabilities():
    for given in ({}, {"logits": Z, "probabilities": P}):
        with pytest.raises(ArcalError, match="either logits or probabilities"):
            as_predictions(labels=LABELS, **given)
