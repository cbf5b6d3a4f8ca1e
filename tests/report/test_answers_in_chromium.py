"""The page of answers that have a confidence and no classes, in a real browser."""

import re

import pytest
import torch
from chromium import browser, expect, reader

from arcal.auditing import Audited, Grouping, as_answers
from arcal.report.audited import Finding, Shown, as_json, payload

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


def answered(name, seed):
    draw = torch.Generator().manual_seed(seed)
    c = torch.rand(400, generator=draw, dtype=torch.float64)
    right = torch.rand(400, generator=draw, dtype=torch.float64) < 0.2 + 0.4 * c
    topics = Grouping("topic", ("sums", "words"), torch.arange(400) % 2)
    answers = as_answers(confidence=c, correct=right)
    return Audited(name, answers, ("right", "wrong"), groupings=[topics])


def given():
    models = [answered("asked", 0), answered("sampled", 1)]
    findings = as_json([Finding(one) for one in models], "questions", None, {}, "answers")
    shown = Shown(torch.arange(400), texts=[f"What is {i} + {i}?" for i in range(400)])
    return models, payload(findings, models, shown)


def test_wrong_answers_come_first_with_their_questions(reader):
    models, of = given()
    page = reader.open(of, size=(375, 740))
    first = models[0].suspects[0].item()
    worst = page.locator("#suspects .worst button").first
    expect(page.locator("#suspects h3, #suspects h2").first).to_have_text("Wrong, and sure")
    expect(worst).to_contain_text(f"What is {first} + {first}?")
    expect(worst).to_contain_text("wrong")
    worst.click()
    opened = page.get_by_role("dialog")
    expect(opened).to_contain_text("Answered, which is wrong")
    expect(opened).not_to_contain_text("Label")
    expect(opened).not_to_contain_text("Probabilities")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_a_bar_counts_the_answers_of_its_confidence_and_who_is_right(reader):
    models, of = given()
    page = reader.open(of)
    bar = page.locator("#reliability .mark").last
    bar.click()
    n = of["models"][0]["reliability"][-1]["count"]
    expect(page.locator(".list")).to_have_attribute("aria-label", re.compile(f"^{n} answer"))
    page.get_by_role("button", name="Clear all").click()
    page.get_by_label("Compare asked with").select_option("sampled")
    one, other = (model.predictions.correct for model in models)
    expect(page.locator("#compare")).to_contain_text(str(int((one & ~other).sum())))
