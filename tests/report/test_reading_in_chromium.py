"""Explanations are read without a mouse, and a reload keeps what is chosen, in a real browser."""

import numpy as np
import pytest
from chromium import browser, expect, reader
from explorer_payload import make_payload

from arcal.report.explorer import column

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("address", ["", "#with=2&input=103"])
def test_no_explanation_is_only_in_a_tooltip(reader, address):
    page = reader.open(make_payload(models=2), address)
    assert page.locator("[title]:not([data-row])").count() == 0


def test_the_dialog_says_what_calibrated_means(reader):
    payload = make_payload()
    page = reader.open(payload)
    by = page.locator("#compare select option").nth(1).inner_text().split("itself after ")[1]
    inputs = page.locator("#inputs [data-row]")
    for i in range(10):  # half of the inputs have calibrated probabilities
        inputs.nth(i).click()
        head = page.locator(".probabilities thead").inner_text()
        assert (f"Calibrated: after {by}." in page.locator("dialog").inner_text()) == (
            "calibrated" in head.split()  # beside "uncalibrated"
        )
        page.keyboard.press("Escape")


def test_the_figures_at_the_top_are_explained_by_keyboard_and_tap(reader):
    page = reader.open(make_payload())
    terms = page.locator(".overview + .terms")
    expect(terms.locator("dl")).not_to_be_visible()
    terms.locator("summary").focus()
    page.keyboard.press("Enter")
    said = terms.locator("dl").inner_text()
    for words in ("Confidence minus accuracy; 300 inputs", "If calibrated", "The lines"):
        assert words in said


@pytest.mark.parametrize("id", ["robust", "acting", "calibrations", "other"])
def test_curves_and_rows_are_read_by_the_keyboard(reader, id):
    page = reader.open(make_payload())
    marks = page.locator(f"#{id} [data-mark]")
    marks.first.focus()
    said = page.locator(f"#{id} .readout")
    expect(said).to_have_text(marks.first.get_attribute("aria-label"))
    if marks.count() > 1:
        page.keyboard.press("End")
        expect(said).to_have_text(marks.last.get_attribute("aria-label"))


def test_corruptions_whose_inputs_are_not_there_offer_no_choice(reader):
    payload = make_payload()
    for shift in payload["models"][0]["shift"]:
        shift["predicted"] = None
    page = reader.open(payload)
    expect(page.locator("#shift .readout")).to_have_text("Point at a row to read it.")


def test_the_order_of_classes_and_the_measure_outlast_a_reload(reader):
    page = reader.open(make_payload())
    page.get_by_label("Order of the classes").select_option("by name")
    page.get_by_label("Measure", exact=True).select_option("accuracy")
    page.reload()
    expect(page.get_by_label("Order of the classes")).to_have_value("name")
    expect(page.get_by_label("Measure", exact=True)).to_have_value("accuracy")
    names = page.locator("#classes .row:not(.head) .name").all_inner_texts()
    assert names == sorted(names)


def test_without_suspects_nothing_is_ordered_by_them(reader):
    payload = make_payload()
    payload["models"][0]["inputs"]["suspect_rank"] = column(np.full(300, -1), "int32")
    page = reader.open(payload)
    order = page.get_by_label("Order", exact=True)
    expect(order).to_have_value("loss")
    assert "suspect label" not in order.inner_text()
