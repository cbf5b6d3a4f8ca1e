"""How figures have changed since an earlier audit, on the page in a real browser."""

from dataclasses import replace

import pytest
import torch
from chromium import browser, expect, reader
from explorer_payload import make_payload

from arcal.auditing import Audited, as_predictions, changes, grouping, standing
from arcal.report.audited import Finding, as_json, payload

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow

LONG = "a name that does not end " * 8


def model(wrong):
    p = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64).repeat(150, 1)
    labels = torch.tensor([0, 1]).repeat(150)
    labels[:wrong] = 1 - labels[:wrong]
    said = as_predictions(probabilities=p, labels=labels)
    sites = grouping("site", [f"site {i // 10:02}" for i in range(300)])
    return Audited("mine", said, ("no", LONG), groupings=[sites])


def test_a_table_says_what_has_changed_on_a_phone_as_well(reader):
    now, before = model(90), model(30)
    since = replace(changes(standing(now), standing(before), "<b>october</b>"), model=LONG)
    given = payload(as_json([Finding(now, changes=since)], "p", None, {}, "predictions"), [now])
    page = reader.open(given, size=(375, 740))
    section = page.locator("#changes")
    expect(section.locator("h2")).to_have_text("Since <b>october</b>")
    rows = section.locator("table").first.locator("tbody tr")
    assert rows.count() == len(since.figures)
    right = since.figures["accuracy"].by
    ends = (f"{100 * end:.1f}".replace("-", "−") for end in (right.value, right.low, right.high))
    said = "{} points ({} to {})".format(*ends)
    cells = [text.replace("\u00a0", " ") for text in rows.first.locator("td").all_text_contents()]
    assert cells == ["90.0 % → 70.0 %", said, "lower"]
    groups = section.locator("table").nth(1).locator("tbody tr")
    assert groups.count() == 2 * 20
    assert groups.first.locator("th").inner_text() == "Accuracy, site 00"
    word = """e => {
        const range = document.createRange();
        range.selectNodeContents(e);
        return range.getClientRects().length;
    }"""
    assert rows.nth(1).locator("th").evaluate(word) == 1  # "Confidence" is not broken
    expect(section).to_contain_text("The other 10 groups are in audit.json.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert reader.open(make_payload()).locator("#changes").count() == 0
