"""Sentences on top of a page: they say what stands out, and nothing that does not."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from arcal.auditing import (
    Audited,
    Estimate,
    Grouping,
    as_predictions,
    choose_calibrator,
)
from arcal.report.audited import Finding, headline
from arcal.report.audited._amounts import ece, number, points
from arcal.report.audited._markdown import markdown
from arcal.report.audited._words import (
    acts_above,
    advice,
    doubts,
    notes,
    stands_out,
    summary,
)
from arcal.report.terminal import print_choice
from arcal.robustness import Robustness


@pytest.mark.parametrize(("wrong", "said"), [((300, 100), True), ((100, 300), False)])
def test_the_least_robust_are_named_only_if_they_are_worse_than_all(wrong, said):
    """A confidence of .99 for 2,000 inputs in two levels, with so many wrong in each."""
    right = torch.ones(2, 1000, dtype=torch.bool)
    for level, count in enumerate(wrong):
        right[level, :count] = False
    labels = (~right).long().flatten()
    p = torch.tensor([0.99, 0.01]).repeat(2000, 1)
    predictions = as_predictions(probabilities=p, labels=labels)
    ids = torch.arange(2000)
    robustness = Robustness(
        order="attack", ids=ids, robustness=ids.float(), success=torch.ones(2000).bool(),
        predicted=torch.zeros(2000).long(), labels=labels, passes=torch.ones(2000).long(),
    )  # fmt: skip
    model = Audited("mine", predictions, ("no", "yes"), robustness=robustness, R=2)
    sentence = headline(model)
    right = "mine is right on 80.0 % of 2,000 inputs, with a mean confidence of 99.0 %: "
    assert f"{right}over-confident by 19.0 points" in sentence
    assert ("in the least robust half, where" in sentence) == said
    assert ("it is over-confident by 29.0 points" in sentence) == said


def sure(N: int, T: float) -> Audited:
    """Predictions of N inputs whose labels are drawn at the temperature T."""
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(N, 3, generator=generator, dtype=torch.float64)
    labels = (z / T).softmax(1).multinomial(1, generator=generator)[:, 0]
    return Audited("mine", as_predictions(logits=z, labels=labels), ("a", "b", "c"))


def test_a_group_with_a_verdict_is_named_before_one_that_may_be_chance():
    """Of 13 groups a large one is shown to be off, a small one's interval reaches less far up."""
    n = [5000, *[100] * 12]
    wrong = [1250, 31, *[20] * 11]
    number = torch.arange(13).repeat_interleave(torch.tensor(n))
    labels = torch.cat([torch.arange(size) < few for size, few in zip(n, wrong, strict=True)])
    p = torch.tensor([[0.8, 0.2]], dtype=torch.float64).repeat(len(labels), 1)
    said = as_predictions(probabilities=p, labels=labels.long())
    sites = Grouping("site", tuple(f"s{g}" for g in range(13)), number)
    model = Audited("mine", said, ("no", "yes"), groupings=[sites])
    large, small, *_ = model.by_grouping[0]
    assert large.verdict == "over-confident"
    assert small.verdict == "not shown"
    assert large.gap.low > 0
    assert small.gap.low > 0
    assert any(line.startswith("where site is s0, it is over-") for line in stands_out(model))


def test_a_label_that_is_impossible_is_said_and_no_figure_is_nan():
    masked = sure(400, 3.0).predictions.logits[0].clone()
    masked[:, 2] = -torch.inf
    labels = masked.argmax(1)
    labels[5] = 2
    some = Audited("mine", as_predictions(logits=masked, labels=labels), ("a", "b", "c"))
    assert some.overall.nll.value == math.inf
    (line,) = doubts(some)
    assert line.startswith("1 of 400 labels, c for id 5, has a probability of exactly 0")
    said = summary([Finding(some)], "data")
    assert "log-loss infinite" in said
    assert "nan" not in said + markdown([Finding(some)], "data")
    assert number(Estimate(math.nan, math.nan, math.nan, 400), "+") == "unknown"
    named = replace(some, names=tuple(f"{i}.png" for i in range(400)))
    assert ", c for id 5.png, has a probability" in doubts(named)[0]


def test_a_calibrator_that_raises_the_ece_is_not_said_to_mend_it():
    generator = np.random.default_rng(1)
    p = generator.dirichlet([0.3] * 3, 500)
    says_so = generator.random(500) < 0.8
    labels = np.where(says_so, p.argmax(1), generator.integers(0, 3, 500))
    model = Audited("mine", as_predictions(probabilities=p, labels=labels), ("a", "b", "c"))
    best = model.posthoc.outcomes[model.posthoc.recommended or ""]
    assert best.ece.after.value > best.ece.before.value
    assert "lowers the log-loss of the other 250, but raises the ECE from" in advice(model)
    same = replace(best.ece, before=replace(best.ece.before, value=best.ece.after.value + 1e-5))
    outcomes: Any = model.posthoc.outcomes
    outcomes[model.posthoc.recommended] = replace(best, ece=same)
    after = f"{100 * best.ece.after.value:.1f} points"
    assert f"lowers the log-loss of the other 250, and leaves the ECE at {after}" in advice(model)


def test_a_model_whose_classes_seem_mixed_up_is_not_told_to_calibrate():
    model = sure(1000, 3.0)
    swapped = as_predictions(
        logits=model.predictions.logits[0].roll(1, 1), labels=model.predictions.labels
    )
    mixed = Audited("mine", swapped, ("a", "b", "c"))
    assert "settle the doubt above before you calibrate" in summary([Finding(mixed)], "data")
    assert "settle" not in summary([Finding(model)], "data")


def test_what_is_not_0_or_all_does_not_seem_to_be():
    wrong = torch.zeros(4000, dtype=torch.int64)
    wrong[0] = 1
    said = as_predictions(logits=torch.tensor([[8.0, 0.0]]).repeat(4000, 1), labels=wrong)
    model = Audited("mine", said, ("no", "yes"))
    assert headline(model).startswith("mine is right on 99.97 % of 4,000 inputs")
    assert "99.97 % [99.9, 99.99] |" in markdown([Finding(model)], "data")
    assert points(Estimate(0.0004, low=0.0001, high=0.0007, n=1)) == "0.04 points [0.01, 0.1]"
    assert ece(Estimate(0.003, low=0.0003, high=0.006, n=1)) == "0.3 points [0.03, 0.6]"
    change = Estimate(-0.00003, low=-0.00005, high=-0.00001, n=1)
    assert number(change, "+") == "-0.000030 [-0.000050, -0.000010]"
    assert number(Estimate(0.5, low=0.0, high=1e-9, n=1)) == "0.5000 [0.0000, 0.0000]"


@pytest.mark.parametrize(("columns", "intervals"), [(80, 2), (120, 3)])
def test_the_table_of_calibrators_fits_into_a_terminal(columns, intervals, capsys):
    predictions = sure(400, 1.5).predictions
    choice = choose_calibrator(predictions, calibrators=["temperature", "vector"], resamples=200)
    print_choice(choice, Console(width=columns, force_terminal=True, color_system=None))
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= columns for line in lines)
    (row,) = [line for line in lines if line.strip().startswith("vector")]
    assert row.count("[") == intervals
    assert f"{choice.candidates['vector'].nll.value:.4f}" in row
    print_choice(choice, Console(width=columns))
    piped = capsys.readouterr().out.splitlines()
    assert piped == [line.rstrip() for line in piped]


def test_the_first_threshold_above_the_accuracy_is_named_and_rounded_up():
    """Of 2,000 inputs that are .97001 sure all are right, of as many that are .6 sure half."""
    p = torch.tensor([0.97001, 0.6]).repeat_interleave(2000)
    labels = torch.cat([torch.zeros(3000), torch.ones(1000)]).long()
    predictions = as_predictions(probabilities=torch.stack([p, 1 - p], 1), labels=labels)
    model = Audited("mine", predictions, ("no", "yes"))
    assert acts_above(model) == (
        "right on at least 90 % where it is 97.1 % confident or more: 50.0 % of the inputs"
    )
    sharp = as_predictions(probabilities=torch.stack([p > 0.9, p < 0.9], 1).double(), labels=labels)
    assert acts_above(Audited("mine", sharp, ("no", "yes"))) is None  # sure of all alike
    surest = as_predictions(logits=torch.stack([900.0 * (p > 0.9), 0.0 * p], 1), labels=labels)
    line = acts_above(Audited("mine", surest, ("no", "yes")))
    assert line == "right on at least 90 % where it is 100 % confident: 50.0 % of the inputs"
    two = torch.arange(4000).double() // 2000  # those that are surer count for nothing
    assert acts_above(replace(model, weights=two)) is None
    few = Audited("mine", predictions.rows(torch.arange(20)), ("no", "yes"))
    assert acts_above(few) is None  # right on all, and too few to show more


def rare(p: tuple[float, float], positives: tuple[int, int], names=("no", "fraud")) -> Audited:
    """Two thousand inputs each with these probabilities of the second class, so many are of it."""
    probabilities = torch.tensor(p, dtype=torch.float64).repeat_interleave(2000)
    labels = torch.cat([(torch.arange(2000) < n).long() for n in positives])
    both = torch.stack([1 - probabilities, probabilities], dim=1)
    return Audited("mine", as_predictions(probabilities=both, labels=labels), names)


def test_a_rare_class_is_named_only_if_its_probability_is_wrong_beyond_chance():
    too_high = rare((0.01, 0.3), (20, 120))
    high = stands_out(too_high)
    assert any(
        line.startswith("its probability of fraud is too high by 12.0 points [")
        and line.endswith("]: 15.5 % on average, and 3.5 % of the inputs are fraud")
        for line in high
    )
    hidden = stands_out(rare((0.01, 0.2), (120, 300)))
    (line,) = [line for line in hidden if line.startswith("its probability of fraud is too")]
    assert "too low by 5.0 points [" in line or "too high by 5.0 points [" in line
    assert " averages " in line
    assert "of these 2,000 inputs are fraud" in line
    assert not any("its probability" in line for line in stands_out(rare((0.01, 0.3), (20, 600))))
    assert not any("its probability" in line for line in stands_out(sure(300, 3.0)))
    assert "its probability of fraud is too high" in markdown([Finding(too_high)], "d")
    (line,) = [line for line in high if line.startswith("its probability")]
    assert f"{line[0].upper()}{line[1:]}." in notes([Finding(too_high)])  # at the top of the page


def test_a_model_that_is_right_as_often_as_its_most_frequent_class_is_said_to_be():
    line = "always saying no would be right on 96.5 %: its accuracy is not shown to be higher"
    never = rare((0.01, 0.3), (20, 120))
    assert line in stands_out(never)
    assert f"{line[0].upper()}{line[1:]}." in notes([Finding(never)])
    for better in (rare((0.01, 0.9), (20, 1100)), sure(300, 1.0)):
        assert not any("always saying" in said for said in stands_out(better))
    few = rare((0.01, 0.505), (20, 1015))  # right on 15 more of 2,000
    assert any("always saying no would be right on 74.1 %" in said for said in stands_out(few))
    less = rare((0.01, 0.505), (20, 900))  # right on 100 fewer
    assert any(said.endswith("77.0 %: its accuracy is lower") for said in stands_out(less))
