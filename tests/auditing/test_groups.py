"""Groups and their verdicts, against sums by hand, scipy, and many draws of calibrated models."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import beta, binom, binomtest

from arcal.auditing import (
    Predictions,
    by_class,
    by_group,
    by_level,
)
from arcal.auditing._groups import by_class_and_level
from arcal.calibration.weighted import effective_numbers
from arcal.errors import ArcalError
from arcal.ranks import levels
from tests.auditing.drawn import drawn, relabelled, reordered

pytestmark = pytest.mark.processor

NAMES = ("a", "b", "c", "d")


def of_confidence(confidence, right):
    """Predictions of two classes with this confidence, above a half, that are right or not."""
    p = torch.as_tensor(confidence).double()
    logits = torch.stack([p, 1 - p], dim=1).log()[None]
    return Predictions(torch.arange(len(p)), (~torch.as_tensor(right)).long(), logits)


def cut(N, G=4, seed=3):
    """Groups of different sizes, drawn."""
    shares = torch.arange(1, G + 1).double()
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(shares, N, replacement=True, generator=generator)


def test_figures_by_hand():
    predictions, groups = drawn(900, sharpness=1.5), cut(900)
    p = predictions.log_probabilities.exp().numpy()
    confidence, right = p.max(1), p.argmax(1) == predictions.labels.numpy()
    k = np.maximum(np.ceil(confidence * 15), 1)
    for g, group in enumerate(by_group(predictions, groups, NAMES, resamples=50)):
        own = groups.numpy() == g
        n, x, sure = int(own.sum()), int(right[own].sum()), confidence[own].mean()
        peer = binomtest(x, n).proportion_ci(0.95, method="exact")
        accuracy, gap = group.accuracy, group.gap
        assert (group.name, group.n, accuracy.n) == (NAMES[g], n, n)
        assert (accuracy.value, accuracy.low, accuracy.high) == pytest.approx(
            (x / n, peer.low, peer.high)
        )
        assert group.confidence == pytest.approx(sure)
        assert (gap.value, gap.low, gap.high) == pytest.approx(
            (sure - x / n, sure - peer.high, sure - peer.low)
        )
        tails = binom.cdf(x, n, sure), binom.sf(x - 1, n, sure)
        assert group.p == pytest.approx(min(1, 2 * min(tails)))
        assert group.share_of_errors == pytest.approx((~right[own]).sum() / (~right).sum())
        ece = sum(abs((right - confidence)[own & (k == i)].sum()) for i in range(1, 16)) / n
        assert group.ece is not None
        assert group.ece.value == pytest.approx(ece)
        assert group.ece.low <= group.ece.value <= group.ece.high
        assert group.recall is None


def test_a_gap_that_is_shown_alone_may_not_be_among_many():
    right = np.ones((10, 200), dtype=bool)
    right[:, :40] = False
    right[0, 40:54] = False  # an accuracy of .73 where .8 is said
    predictions = of_confidence(np.full(2000, 0.8), right.flatten())
    many = by_group(predictions, torch.arange(2000) // 200, [str(g) for g in range(10)])
    alone = reordered(predictions, torch.arange(200))
    (one,) = by_group(alone, torch.zeros(200).long(), ["0"], resamples=2)
    assert many[0].p == pytest.approx(one.p)
    assert many[0].gap.sign == one.gap.sign == 1
    assert (many[0].verdict, one.verdict) == ("not shown", "over-confident")


def test_effective_numbers_by_which_are_right():
    c, w = torch.full((9,), 0.8).double(), torch.tensor([4.0, *[1] * 7, 2]).double()
    groups, right = (torch.arange(9) >= 7).long(), torch.arange(9) > 0
    one, all_right = effective_numbers(w, c, groups, 2, right).tolist()
    assert one == pytest.approx(0.6 * 0.4 * 100 / (16 * 0.6**2 + 6 * 0.4**2))
    assert all_right == pytest.approx(9 / 5)
    alike = torch.full((9,), 0.3).double()
    assert effective_numbers(alike, c, groups, 2, right).tolist() == pytest.approx([7, 2])


def test_effective_numbers():
    """Two groups of equal weights, one where the heavy inputs are sure, one where they are not."""
    c = torch.tensor([0.9, 0.6, 0.7, 0.5, 1, 1, 0.5, 1, 1, 1, 1], dtype=torch.float64)
    w = torch.tensor([1, 1, 3, 3, 2, 1, 3, 1, 1, 1, 1], dtype=torch.float64)
    groups = torch.tensor([0, 0, 1, 1, 2, 2, 4, 4, 4, 4, 4])
    found = effective_numbers(w, c, groups, 5).tolist()
    mean = (3 * 0.5 + 4) / 7
    assert found[:4] == pytest.approx([2, 2, 9 / 5, 0])
    assert found[4] == pytest.approx(mean * (1 - mean) * 49 / (9 * 0.25))
    assert found[4] < 49 / 13


@pytest.mark.parametrize("side", ["over-confident", "under-confident"])
def test_planted_gaps_are_found_and_only_there(side):
    right = np.arange(4000) % 10 < 8
    right[3000:] = np.arange(1000) % 10 < (6 if side == "over-confident" else 9)
    groups = torch.arange(4000) // 1000
    found = by_group(of_confidence(np.full(4000, 0.8), right), groups, NAMES, resamples=50)
    assert [group.verdict for group in found] == ["not shown"] * 3 + [side]
    first, *_, last = found
    assert first.ece
    assert first.ece.value == pytest.approx(0)
    assert last.ece
    assert last.ece_if_calibrated
    assert last.ece.low > last.ece_if_calibrated.high


def test_a_group_is_few_by_its_confidences_and_its_size_alone():
    for sure in (0.5001, 0.8, 0.99):
        for n in range(5, 120, 9):
            p = np.full(n, sure)
            x = sure * n
            width = beta.ppf(0.975, x + 1, n - x) - beta.ppf(0.025, x, n - x + 1)
            for right in (np.ones(n, bool), np.zeros(n, bool)):
                (one,) = by_group(
                    of_confidence(p, right), torch.zeros(n).long(), ["a"], resamples=1
                )
                assert one.few == (width > 0.21)
                assert (one.verdict == "too few") == one.few


def test_a_group_without_inputs_says_so():
    predictions = drawn(300)
    none, every = by_group(predictions, torch.ones(300).long(), ["none", "every"], resamples=2)
    assert (none.n, none.few, none.verdict, none.ece) == (0, True, "too few", None)
    assert all(map(math.isnan, (none.accuracy.value, none.confidence, none.gap.value, none.p)))
    assert (none.share_of_errors, every.share_of_errors) == (0, 1)
    perfect = relabelled(predictions, predictions.predicted)
    (one,) = by_group(perfect, torch.zeros(300).long(), ["a"], resamples=2)
    assert math.isnan(one.share_of_errors)
    assert one.accuracy.low < 1 == one.accuracy.high


def test_weights_of_whole_numbers_are_inputs_that_are_there_as_often():
    predictions, groups = drawn(900, sharpness=2), cut(900)
    weights = torch.arange(900) % 4
    rows = torch.arange(900).repeat_interleave(weights)
    weighted = by_group(predictions, groups, NAMES, weights=weights, resamples=2)
    repeated = by_group(reordered(predictions, rows), groups[rows], NAMES, resamples=2)
    for one, other in zip(weighted, repeated, strict=True):
        for name in ("accuracy", "gap", "ece"):
            value = getattr(other, name).value
            assert getattr(one, name).value == pytest.approx(value), name
        assert one.confidence == pytest.approx(other.confidence)
        assert one.share_of_errors == pytest.approx(other.share_of_errors)
        assert one.accuracy.n < one.n  # a repeated input is no second one
        assert one.accuracy.width > other.accuracy.width


def test_equal_weights_and_the_order_of_the_rows_change_nothing():
    predictions, groups = drawn(900, sharpness=1.3), cut(900)
    plain = by_group(predictions, groups, NAMES, resamples=2)
    rows = torch.randperm(900, generator=torch.Generator().manual_seed(1))
    for others in (
        by_group(predictions, groups, NAMES, weights=torch.full((900,), 0.3), resamples=2),
        by_group(reordered(predictions, rows), groups[rows], NAMES, resamples=2),
    ):
        for one, other in zip(plain, others, strict=True):
            assert (one.n, one.few, one.verdict) == (other.n, other.few, other.verdict)
            assert one.p == pytest.approx(other.p)
            for name in ("accuracy", "gap"):
                ours, theirs = getattr(one, name), getattr(other, name)
                assert ours.n == theirs.n
                assert (ours.value, ours.low, ours.high) == pytest.approx(
                    (theirs.value, theirs.low, theirs.high)
                )
            assert one.ece
            assert other.ece
            assert one.ece.value == pytest.approx(other.ece.value)


def test_levels_are_those_of_the_ranking():
    predictions = drawn(450)
    distance = torch.rand(450, generator=torch.Generator().manual_seed(2))
    by_distance = by_level(predictions, distance, R=4, resamples=2)
    groups = levels(distance, predictions.ids, 4)
    names = [f"level {r}" for r in range(4)]
    assert by_distance == by_group(predictions, groups, names, resamples=2)
    assert [level.n for level in by_distance] == [113, 112, 113, 112]


def test_classes_are_the_predicted_ones_and_recall_is_of_the_labels():
    predictions = drawn(900)
    predicted, labels = predictions.predicted, predictions.labels
    for z, group in enumerate(by_class(predictions, NAMES[:3], resamples=2)):
        says, has = predicted == z, labels == z
        both, n = int((says & has).sum()), int(has.sum())
        peer = binomtest(both, n).proportion_ci(0.95, method="exact")
        assert group.n == int(says.sum())
        assert group.accuracy.value == pytest.approx(both / int(says.sum()))
        recall = group.recall
        assert recall is not None
        assert recall.n == n
        assert (recall.value, recall.low, recall.high) == pytest.approx(
            (both / n, peer.low, peer.high)
        )


def test_cells_are_the_predicted_class_in_each_level_of_all_inputs():
    predictions = drawn(900)
    distance = torch.rand(900, generator=torch.Generator().manual_seed(2))
    cells = by_class_and_level(predictions, NAMES[:3], distance, R=2, resamples=2)
    cut = levels(distance, predictions.ids, 2)
    for z, row in enumerate(cells):
        for r, cell in enumerate(row):
            own = (predictions.predicted == z) & (cut == r)
            right = (predictions.labels == z) & own
            assert (cell.name, cell.n) == (f"{NAMES[z]}, level {r}", int(own.sum()))
            assert cell.accuracy.value == pytest.approx(int(right.sum()) / int(own.sum()))
    assert sum(cell.share_of_errors for row in cells for cell in row) == pytest.approx(1)


def test_refuses_bad_input_in_one_line():
    predictions = drawn(20)
    for call, line in (
        (lambda: by_group(predictions, torch.full((20,), 2), ["a", "b"]), "groups must be 0 .. 1"),
        (lambda: by_group(predictions, torch.zeros(3).long(), ["a"]), "groups must have shape"),
        (lambda: by_level(predictions, torch.ones(20), R=21), "cannot be cut into 21 levels"),
        (lambda: by_class(predictions, ["a", "b"]), "2 class names for predictions of 3"),
    ):
        with pytest.raises(ArcalError, match=line) as error:
            call()
        assert "\n" not in str(error.value)
