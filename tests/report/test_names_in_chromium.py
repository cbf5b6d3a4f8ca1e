"""What is called like something else, or has no distance, in a real browser."""

import csv
import io
from pathlib import Path

import pytest
from chromium import browser, reader
from explorer_payload import make_payload

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


def test_an_exported_column_has_a_name_of_its_own(reader):
    payload = make_payload(kind="table")
    payload["models"][0]["groupings"][0]["name"] = "label"
    payload["table"]["columns"][:2] = ["confidence", "label"]
    page = reader.open(payload)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    text = Path(download.value.path()).read_text()
    head, first = list(csv.reader(io.StringIO(text)))[:2]
    assert len({*head}) == len(head) == len(first)
    row = dict(zip(head, first, strict=True))
    assert row["label"] in payload["data"]["classes"]
    assert row["by_label"] in payload["inputs"]["groupings"][0]["groups"]
    assert {"column_confidence", "column_label"} <= {*head}


LONG = (
    "Chronic obstructive pulmonary disease with an acute lower respiratory infection " * 3,
    "deeply_nested_identifier_without_any_space_" * 5,
    "x" * 200,
)
WIDE = [(1280, 900), (390, 800)]


def payload_of_long_names():
    names = [name[:200].strip() for name in LONG]
    payload = make_payload(kind="predictions", classes=names, models=2)
    for model, name in zip(payload["models"], names, strict=False):
        model["name"] = name
    payload["inputs"]["groupings"][0]["groups"][:2] = names[:2]
    return payload


@pytest.mark.parametrize("size", WIDE)
def test_a_long_name_in_a_table_is_shortened_and_whole_once_chosen(reader, size):
    page = reader.open(payload_of_long_names(), "#with=2", size)
    for button in page.get_by_role("button", name="as a table").all():
        button.click()
    widths = page.locator(".scroll :is(th, td)").evaluate_all("all => all.map(e => e.clientWidth)")
    assert max(widths) < 400
    name = page.locator("#classes tbody summary").first
    shown = "e => [e.scrollHeight <= e.clientHeight + 1, e.textContent.length]"
    assert name.evaluate(shown) == [False, 200]
    name.focus()
    page.keyboard.press("Enter")
    assert name.evaluate(shown) == [True, 200]
