"""Explanations are read without a mouse, and a reload keeps what is chosen, in a real browser."""

import pytest
from chromium import browser, expect, reader
from explorer_payload import make_payload

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("address", ["", "#with=2&input=103"])
def test_no_explanation_is_only_in_a_tooltip(reader, address):
    page = reader.open(make_payload(models=2), address)
    assert page.locator("[title]:not([data-row])").count() == 0


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


def test_the_order_of_classes_and_the_measure_outlast_a_reload(reader):
    page = reader.open(make_payload())
    page.get_by_label("Order of the classes").select_option("by name")
    page.get_by_label("Measure", exact=True).select_option("accuracy")
    page.reload()
    expect(page.get_by_label("Order of the classes")).to_have_value("name")
    expect(page.get_by_label("Measure", exact=True)).to_have_value("accuracy")
    names = page.locator("#classes .row:not(.head) .name").all_inner_texts()
    assert names == sorted(names)
