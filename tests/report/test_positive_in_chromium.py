"""The probability of the second of two classes, on the page in a real browser."""

import re

import pytest
import torch
from chromium import browser, expect, reader
from explorer_payload import make_payload

from arcal.auditing import Audited, as_predictions
from arcal.report.audited import Finding, as_json, payload

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


def test_a_bin_of_a_rare_class_shows_its_inputs_in_both_kinds_of_bins(reader):
    draw = torch.Generator().manual_seed(0)
    p = (2 * torch.randn(2000, generator=draw, dtype=torch.float64) - 4).sigmoid()
    labels = (torch.rand(2000, generator=draw, dtype=torch.float64) < p).long()
    both = torch.stack([1 - p, p], dim=1)
    predictions = as_predictions(probabilities=both, labels=labels)
    model = Audited("mine", predictions, ("no", "a name that does not end " * 8))
    given = payload(as_json([Finding(model)], "fraud", None, {}, "predictions"), [model])
    page = reader.open(given, size=(375, 740))
    for name in ("bins", "bins_of_equal_width"):
        bins = given["models"][0]["positive"][name]
        marks = page.locator("#positive .mark")
        assert marks.count() == len(bins)
        marks.last.click()
        n = bins[-1]["count"]
        expect(page.locator(".list")).to_have_attribute("aria-label", re.compile(f"^{n} input"))
        link = page.url
        page.goto("about:blank")
        page.goto(link)
        expect(page.locator(".list")).to_have_attribute("aria-label", re.compile(f"^{n} input"))
        expect(page.locator("#positive .mark.pressed")).to_have_count(1)
        page.get_by_role("button", name="Equal widths").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    three = reader.open(make_payload())
    assert three.locator("#positive").count() == 0
