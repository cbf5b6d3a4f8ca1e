"""Groups and their verdicts, against sums by hand, scipy, and many draws of calibrated models."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import beta, binom, binomtest

from arcal.auditing import (
    LEAST,
    Predictions,
    as_predictions,
    by_class,
    by_group,
    by_level,
    overall,
)
from arcal.auditing._estimate import (
    accuracies,
    counted,
)
from arcal.auditing._groups import by_class_and_level, verdicts
from arcal.calibration.weighted import effective_numbers
from arcal.errors import ArcalError
from arcal.ranks import levels
from tests.auditing.drawn import drawn, relabelled, reordered

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


def holm_by_hand(p):
    """Step down: the smallest times m, the next times m - 1, and never less than the one before."""
    corrected, before = {}, 0.0
    for step, name in enumerate(sorted(p, key=p.__getitem__)):
        before = max(before, min(1.0, p[name] * (len(p) - step)))
        corrected[name] = before
    return corrected


def shown(groups):
    return any(group.verdict in ("over-confident", "under-confident") for group in groups)


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


def test_verdicts_are_holm_s_over_the_groups_that_are_not_few():
    """Gaps of several sizes; the smallest group has the widest, and is not of the family."""
    draw = np.random.default_rng(0)
    size = {"a": 300, "b": 300, "c": 300, "d": 300, "tiny": 8}
    accuracy = {"a": 0.8, "b": 0.735, "c": 0.72, "d": 0.95, "tiny": 0.0}
    right = np.concatenate([np.arange(n) < round(accuracy[g] * n) for g, n in size.items()])
    groups = np.repeat(np.arange(5), list(size.values()))
    rows = draw.permutation(len(groups))
    predictions = of_confidence(np.full(len(rows), 0.8), right[rows])
    found = by_group(predictions, torch.tensor(groups[rows]), tuple(size), resamples=2)
    p = {group.name: group.p for group in found if not group.few}
    assert set(p) == {"a", "b", "c", "d"}
    corrected = holm_by_hand(p)
    assert p["b"] < 0.05 / 4 * 1.5 < 4 * p["b"]  # alone significant, only just or not at all with 4
    for group in found:
        if group.few:
            assert (group.verdict, group.ece, group.ece_if_calibrated) == ("too few", None, None)
        elif corrected[group.name] >= 0.05:
            assert group.verdict == "not shown"
        else:
            side = "over-confident" if group.gap.value > 0 else "under-confident"
            assert group.verdict == side
    verdicts = {group.name: group.verdict for group in found}
    assert verdicts["a"] == "not shown"
    assert verdicts["c"] == "over-confident"
    assert verdicts["d"] == "under-confident"


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


def test_calibrated_models_are_accused_less_often_than_is_said():
    """At most 5 % of audits may have any verdict; confidences differ within each of ten groups."""
    generator = torch.Generator().manual_seed(0)
    p = 0.5 + 0.5 * torch.rand(1000, generator=generator, dtype=torch.float64)
    groups = p.argsort().argsort() // 100
    names = [str(g) for g in range(10)]
    accused = 0
    for _ in range(100):
        right = torch.rand(1000, generator=generator, dtype=torch.float64) < p
        accused += shown(by_group(of_confidence(p, right), groups, names, resamples=1))
    assert accused <= 100 * 0.05 + 3 * (100 * 0.05 * 0.95) ** 0.5


def test_intervals_of_the_ece_of_calibrated_models_hold_0():
    """200 groups, in confidences of their own; the basic interval leaves out 0 in a third."""
    generator = torch.Generator().manual_seed(1)
    p = 0.5 + 0.5 * torch.rand(40_000, generator=generator, dtype=torch.float64)
    right = torch.rand(40_000, generator=generator, dtype=torch.float64) < p
    groups, names = torch.arange(40_000) // 200, [str(g) for g in range(200)]
    found = by_group(of_confidence(p, right), groups, names, resamples=100)
    without = [group.ece is not None and group.ece.low > 0 for group in found]
    assert sum(without) <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5


def test_the_interval_of_an_ece_holds_it_where_nearly_all_inputs_are_right():
    """Draws of no error or one know of no others: those alone hold it in 84 %."""
    n, confidence, accuracy, held = 60, 0.999, 0.97, 0.0
    for right in range(50, n + 1):
        inputs = of_confidence(torch.full((n,), confidence).double(), torch.arange(n) < right)
        (group,) = by_group(inputs, torch.zeros(n).long(), ["sure"], resamples=50)
        assert group.ece is not None
        ends = group.ece.low - 1e-9, group.ece.high + 1e-9
        held += binom.pmf(right, n, accuracy) * (ends[0] <= confidence - accuracy <= ends[1])
    assert held > 0.94


def test_weights_on_the_least_sure_inputs_do_not_make_chance_a_verdict():
    """(sum w)^2 / sum w^2 inputs would tell 2.7 times as much as these do: 15 % were accused."""
    p = torch.cat([torch.full((50,), 0.501), torch.full((4500,), 0.999)]).double()
    weights = torch.cat([torch.full((50,), 10.0), torch.ones(4500)])
    generator, everything = torch.Generator().manual_seed(0), torch.zeros(4550).long()
    accused = 0
    for _ in range(100):
        right = torch.rand(4550, generator=generator, dtype=torch.float64) < p
        accused += shown(
            by_group(of_confidence(p, right), everything, "a", weights=weights, resamples=1)
        )
    assert accused <= 10


def wrong_where_heavy(groups, n=1000, seed=0):
    """Weights, confidences and what is right of groups of n: 2 % weigh 50 times as much as others.

    Of these 70 % are right, of others 99 %, and every confidence is the accuracy of all.
    """
    generator = torch.Generator().manual_seed(seed)
    heavy = torch.rand(groups * n, generator=generator) < 0.02
    weights, chance = torch.where(heavy, 50.0, 1.0).double(), torch.where(heavy, 0.7, 0.99)
    right = torch.rand(groups * n, generator=generator) < chance
    sure = torch.full_like(weights, (0.02 * 50 * 0.7 + 0.98 * 0.99) / (0.02 * 50 + 0.98))
    return weights, sure, right


def test_the_accuracy_of_groups_holds_where_inputs_that_weigh_much_are_wrong_more_often():
    """By the confidences alone 89 % did, and of draws of five groups 19 % accused one."""
    G = 600
    w, sure, right = wrong_where_heavy(G)
    groups = torch.arange(G).repeat_interleave(1000)
    x, n, mean, enough = counted(sure, right, w, groups, G)
    held = sum(one.low <= sure[0].item() <= one.high for one in accuracies(x, n))
    assert held >= 0.94 * G
    five = zip(*(one.split(5) for one in (x, n, mean, enough)), strict=True)
    accused = sum({*verdicts(*one)[0]} != {"not shown"} for one in five)
    assert accused <= 0.07 * G / 5
    assert (n <= enough).all()


def test_of_weighted_groups_an_interval_says_what_the_test_does():
    w, sure, right = wrong_where_heavy(40)
    right[:20_000] |= torch.arange(20_000) % 2 > 0  # half of the groups are under-confident
    right[-10_000:] &= torch.arange(10_000) % 5 > 0  # and a quarter is over-confident
    said = of_confidence(sure, right)
    groups = by_group(
        said, torch.arange(40_000) // 1000, [*map(str, range(40))], weights=w, resamples=1
    )
    assert {one.gap.sign for one in groups} == {0, -1, 1}
    for one in groups:
        assert (one.p < 0.05) == (one.gap.sign != 0)
        assert one.verdict == "not shown" or one.gap.sign != 0
        assert not one.few  # whatever is right


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


def test_the_fewest_inputs_of_a_group_are_known_whatever_is_said_of_them():
    for n in (LEAST - 1, LEAST):
        (one,) = by_group(of_confidence([1.0] * n, [True] * n), torch.zeros(n).long(), ["a"])
        assert one.few == (n < LEAST)


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


def test_the_ece_of_a_weighted_group_is_as_unsure_as_that_of_its_inputs_alone():
    """A hundred light errors do not show how often the few heavy inputs are wrong."""
    N = 3000
    draw = torch.Generator().manual_seed(0)
    p = 0.55 + 0.4 * torch.rand(N, generator=draw, dtype=torch.float64)
    labels = (torch.rand(N, generator=draw) < 0.15).long()
    said = as_predictions(probabilities=torch.stack([p, 1 - p], dim=1), labels=labels)
    heavy = (torch.arange(N) % 50 == 0) & (labels == 0)
    weights = torch.where(heavy, 40.0, 1.0)
    half = torch.arange(N) % 2
    groups = by_group(said, half, ("even", "odd"), weights=weights)
    for g, group in enumerate(groups):
        alone = overall(said.rows(half == g), weights=weights[half == g])
        assert group.ece is not None
        assert group.ece.high == pytest.approx(alone.ece.high, rel=0.06)
    assert int((labels[half == 0] == 1).sum()) > 100
    gap = groups[0].gap
    assert groups[0].ece is not None
    assert groups[0].ece.high >= max(-gap.low, gap.high)


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


def test_weights_may_be_an_array_or_a_list():
    predictions, weights = drawn(200), 1 + torch.arange(200) % 3
    names, groups = NAMES[:3], predictions.labels
    whole = by_group(predictions, groups, names, weights=weights, resamples=2)
    for some in (weights.numpy(), weights.tolist()):
        assert by_group(predictions, groups, names, weights=some, resamples=2) == whole


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
