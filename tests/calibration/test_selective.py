"""Accuracy by coverage, its area and its thresholds, against definitions, scipy and populations."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from arcal.calibration import act_above, aurc, aurc_interval, clopper_pearson, selective_accuracy
from arcal.calibration.draws import drawn_counts
from arcal.calibration.selective import aurc_parts
from arcal.errors import ArcalError

CONFIDENCE = torch.tensor([0.5, 0.9, 0.7, 0.9, 0.5, 0.6])
CORRECT = torch.tensor([False, True, True, False, True, True])

rows = st.lists(
    st.tuples(st.sampled_from([0.3, 0.5, 0.6, 0.8, 1.0]), st.booleans(), st.integers(1, 3)),
    min_size=1,
    max_size=12,
)


def test_each_threshold_has_the_accuracy_of_those_that_reach_it():
    curve = selective_accuracy(CONFIDENCE, CORRECT)
    assert curve.threshold.tolist() == pytest.approx([0.9, 0.7, 0.6, 0.5])
    assert curve.coverage.tolist() == pytest.approx([2 / 6, 3 / 6, 4 / 6, 1])
    assert curve.accuracy.tolist() == pytest.approx([1 / 2, 2 / 3, 3 / 4, 4 / 6])
    low, high = clopper_pearson(torch.tensor([1, 2, 3, 4]), torch.tensor([2, 3, 4, 6]))
    assert torch.equal(curve.low, low)
    assert torch.equal(curve.high, high)
    assert curve.n.tolist() == [2, 3, 4, 6]


@given(rows)
def test_aurc_is_the_mean_risk_of_those_at_least_as_sure(drawn):
    c, right, w = zip(*drawn, strict=True)
    expected = 0.0
    for i in range(len(c)):
        surer = [j for j in range(len(c)) if c[j] >= c[i]]
        risk = sum(w[j] for j in surer if not right[j]) / sum(w[j] for j in surer)
        expected += w[i] * risk / sum(w)
    weighted = aurc(torch.tensor(c), torch.tensor(right), weights=torch.tensor(w))
    assert weighted == pytest.approx(expected)
    often = torch.tensor(w)
    repeated = (torch.tensor(one).repeat_interleave(often) for one in (c, right))
    assert aurc(*repeated) == pytest.approx(weighted)


@given(rows)
def test_influence_is_the_derivative_by_how_often_an_input_is_counted(drawn):
    c, right, w = (torch.tensor(column) for column in zip(*drawn, strict=True))
    influence = aurc_parts(c, right, w).influence
    assert influence.sum().item() == pytest.approx(0, abs=1e-12)
    for k in range(len(c)):
        more, less = w.double(), w.double()
        more[k] *= 1 + 1e-5
        less[k] *= 1 - 1e-5
        slope = (aurc(c, right, weights=more) - aurc(c, right, weights=less)) / 2e-5
        assert influence[k].item() == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_variance_is_that_of_a_bootstrap(weighted):
    generator = torch.Generator().manual_seed(0)
    sure, other = torch.rand(2, 2000, generator=generator).round(decimals=2)
    right = torch.rand(2000, generator=generator) < sure.sqrt()
    w = torch.rand(2000, generator=generator) if weighted else torch.ones(2000)
    samples = torch.tensor(
        [
            [aurc(c, right, weights=w * counts) for c in (sure, other)]
            for counts in torch.cat(list(drawn_counts(2000, 400, seed=0)), dim=1).unbind(1)
        ]
    )
    one, two = (aurc_parts(c, right, w).influence for c in (sure, other))
    for influence, drawn in ((one, samples[:, 0]), (one - two, samples[:, 0] - samples[:, 1])):
        error = influence.square().sum().sqrt().item()
        assert error == pytest.approx(drawn.std().item(), rel=0.12)  # 3 standard errors of it


@pytest.mark.parametrize(("N", "chance"), [(100, 0.1), (1000, 0.02)])
def test_the_interval_of_an_aurc_holds_it_about_as_often_as_is_said(N, chance):
    """Where confidence c is uniform and wrong with chance p (1 - c), the AURC is p / 4:

    of those above t the share p (1 - t) / 2 is wrong. A percentile bootstrap missed it in 6, 10 and
    6 of 100 draws, and where errors are few nearly always to the same side.
    """
    generator, p = torch.Generator().manual_seed(0), 2 * chance
    below, above = 0, 0
    for _ in range(600):
        confidence = torch.rand(N, generator=generator, dtype=torch.float64)
        right = torch.rand(N, generator=generator) >= p * (1 - confidence)
        low, high = aurc_interval(confidence, right)
        below, above = below + (high < p / 4), above + (low > p / 4)
    assert below + above <= 42  # without an error more 54 and 48 where there are 10 and 20 errors
    assert above >= 2


def test_the_interval_of_an_aurc_where_nothing_varies_is_that_of_the_error_rate():
    right = torch.ones(30, dtype=torch.bool)
    confidence, weights = torch.rand(30), torch.rand(30)
    ends = [aurc_interval(confidence, some) for some in (right, ~right)]
    low, high = clopper_pearson([0, 30], [30, 30])
    assert ends == [pytest.approx(both) for both in zip(low.tolist(), high.tolist(), strict=True)]
    few = weights.sum().square() / weights.square().sum()
    assert aurc_interval(confidence, right, weights=weights)[1] > ends[0][1]
    assert aurc_interval(confidence, ~right, weights=weights)[0] == pytest.approx(
        0.025 ** (1 / few.item())
    )
    assert aurc_interval([0.5], [True]) == (0, pytest.approx(0.975))


def test_a_threshold_passes_the_test_that_its_docstring_gives():
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(600, generator=generator)
    correct = torch.rand(600, generator=generator) < confidence.sqrt()
    found = act_above(confidence, correct, 0.85)
    assert found is not None
    reached = confidence >= found.confidence
    wrong = int((reached & ~correct).sum())
    assert found.n == int(reached.sum()) == round(found.coverage * 600)
    assert found.share_right == pytest.approx(1 - wrong / found.n)
    assert binom.cdf(wrong, found.n, 0.15) <= 0.01
    (lower,) = confidence[confidence < found.confidence].sort(descending=True).values[:1]
    wrong = int(((confidence >= lower) & ~correct).sum())
    assert binom.cdf(wrong, found.n + 1, 0.15) > 0.01  # the next one does not


@pytest.mark.parametrize("accuracy", [0.9])
def test_a_threshold_is_too_low_no_more_often_than_it_may_be(accuracy):
    """Of confidences c uniform on [0, 1] that are right with the chance sqrt c, accuracy above t is

    (1 - t**1.5) / 1.5 / (1 - t).
    """
    generator, wrong, some = torch.Generator().manual_seed(0), 0, 0
    for _ in range(400):
        confidence = torch.rand(1000, generator=generator, dtype=torch.float64)
        correct = torch.rand(1000, generator=generator) < confidence.sqrt()
        if (found := act_above(confidence, correct, accuracy)) is not None:
            t, some = found.confidence, some + 1
            wrong += (1 - t**1.5) / 1.5 / (1 - t) < accuracy
    assert some > 200
    assert wrong <= 28  # of 400 trials of chance .05, P(X > 28) = .03


def test_what_cannot_be_shown_is_no_threshold():
    assert act_above(torch.ones(458), torch.ones(458, dtype=torch.bool), 0.99) is None
    found = act_above(torch.ones(459), torch.ones(459, dtype=torch.bool), 0.99)
    assert found is not None
    assert found.coverage == 1
    assert act_above(torch.rand(5000), torch.zeros(5000, dtype=torch.bool), 0.5) is None


@pytest.mark.parametrize("call", [selective_accuracy, aurc, lambda c, r: act_above(c, r, 0.9)])
@pytest.mark.parametrize(
    ("confidence", "correct"),
    [
        (CONFIDENCE[:3], CORRECT),
        (CONFIDENCE, CORRECT.long()),
        (CONFIDENCE[:0], CORRECT[:0]),
        (CONFIDENCE * torch.nan, CORRECT),
    ],
)
def test_bad_input_is_refused_in_one_line(call, confidence, correct):
    with pytest.raises(ArcalError) as caught:
        call(confidence, correct)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("accuracy", "level"), [(0.0, 0.95), (1.0, 0.95), (0.9, 0.0), (float("nan"), 0.95)]
)
def test_an_accuracy_is_within_0_and_1(accuracy, level):
    with pytest.raises(ArcalError, match="within"):
        act_above(CONFIDENCE, CORRECT, accuracy, level=level)
    wrong: list[Any] = [0, 1.5]
    for points in wrong:
        with pytest.raises(ArcalError, match="points"):
            selective_accuracy(CONFIDENCE, CORRECT, points=points)
