"""What is called like something else, or has no distance, in a real browser."""

import csv
import io
from pathlib import Path

import pytest
from chromium import browser, reader
from explorer_payload import make_payload

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["after training", "calibrated"])
def test_another_model_has_its_probabilities_whatever_it_is_called(reader, name):
    payload = make_payload(models=2)
    payload["models"][1]["name"] = name
    page = reader.open(payload, "#with=2&input=103")
    heads = page.locator(".probabilities thead th").all_inner_texts()
    assert heads[-1] == name


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


def test_a_level_without_any_distance_says_so(reader):
    payload = make_payload()
    payload["models"][0]["levels"][-1]["distance"] = [None, None]
    page = reader.open(payload)
    label = page.locator("#levels .mark").last.get_attribute("aria-label")
    assert label.endswith(", no distance found")
    first = page.locator("#levels .mark").first.get_attribute("aria-label")
    assert ", distance " in first
