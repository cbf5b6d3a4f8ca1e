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
