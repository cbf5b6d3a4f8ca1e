"""What is cut off, unnamed or lost in some way of looking at the page, in a real browser."""

import numpy as np
import pytest
from chromium import browser, expect, reader
from explorer_payload import make_payload

from arcal.report.explorer import column

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow

CUT = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"


@pytest.mark.parametrize("address", ["", "#with=2", "#shift=0&from=shift"])
def test_the_predicted_class_is_whole_below_a_picture(reader, address):
    payload = make_payload(classes=("truck", "airplane", "dog", "ship"), models=2)
    for model in payload["models"]:
        model["inputs"]["confidence"] = column(np.full(300, 0.998), "float32")
    page = reader.open(payload, address)
    names = page.locator(".thumb .said .class")
    assert names.count() > 20
    assert names.evaluate_all(CUT) == []
    boxes = page.locator(".list .item").evaluate_all(
        "all => all.map(e => [e.clientHeight, e.firstElementChild.offsetHeight])"
    )
    assert all(inside <= height for height, inside in boxes)


def test_the_axis_of_mistakes_has_its_unit(reader):
    page = reader.open(make_payload())
    ticks = page.locator("#mistakes .axis text").all_text_contents()
    assert ticks[0] == "0\u00a0%"
    assert not any("%" in tick for tick in ticks[1:])


def test_words_of_a_tables_head_are_whole_on_a_phone(reader):
    payload = make_payload()
    long = {"confidence": 0.758, "coverage": 0.829, "n": 33_160}
    payload["models"][0]["acting"]["thresholds"][1] |= long
    page = reader.open(payload, size=(360, 740))
    head = page.locator("#acting thead th").nth(1)
    assert head.inner_text() == "require a confidence of"
    rows = head.evaluate(
        """cell => {
            const range = document.createRange(), start = cell.textContent.indexOf("confidence");
            range.setStart(cell.firstChild, start);
            range.setEnd(cell.firstChild, start + "confidence".length);
            return range.getClientRects().length;
        }"""
    )
    assert rows == 1


@pytest.mark.parametrize("kind", ["images", "table", "texts"])
def test_the_search_is_called_what_is_written_above_it(reader, kind):
    page = reader.open(make_payload(kind=kind))
    search = page.locator("input[type=search]")
    written = search.locator("xpath=preceding-sibling::span").inner_text()
    assert written in search.get_attribute("aria-label")


def test_bars_and_what_is_pressed_are_seen_in_forced_colours(reader):
    page = reader.open(make_payload(), "#input=100")
    page.emulate_media(forced_colors="active", color_scheme="dark")
    colour = "e => getComputedStyle(e).backgroundColor"
    bar = page.locator(".probabilities .bar i").first
    assert bar.evaluate(colour) != page.locator("dialog").evaluate(colour)
    page.keyboard.press("Escape")
    table = page.get_by_role("button", name="how sure it is: as a table")
    table.click()
    page.locator("h1").hover()
    table.evaluate("e => e.blur()")
    expect(table).to_have_css("outline-style", "solid")


def test_a_table_is_printed_whole(reader):
    page = reader.open(make_payload(classes=[f"class {z}" for z in range(40)], R=None), "")
    page.get_by_role("button", name="By predicted class: as a table").click()
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1000, "height": 1400})  # a sheet of paper
    box = page.locator("#classes .scroll")
    tall, inside = box.evaluate("e => [e.clientHeight, e.scrollHeight]")
    assert tall >= inside
    wide, inside = box.evaluate("e => [e.clientWidth, e.scrollWidth]")
    assert wide >= inside


def test_side_by_side_says_how_many_inputs_the_calibrator_was_not_fitted_on(reader):
    page = reader.open(make_payload(), "#with=calibrated")
    words = page.locator("#compare .words")
    expect(words).to_contain_text("on the 150 inputs that it was not fitted on")
    page = reader.open(make_payload(models=2), "#with=2")
    expect(page.locator("#compare .words")).to_contain_text("on the same inputs")
