import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from explorer_payload import HOSTILE, make_payload

from arcal.errors import ArcalError
from arcal.report.explorer import column, write_explorer
from page_types import mistakes

PAGE = Path(__file__).parents[2] / "page"


class Tags(HTMLParser):
    """The tags of a page in their order, and the texts of its scripts and styles."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.policy, self.inside = [], [], "", None

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.inside = (tag, dict(attrs).get("type"))
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside and self.inside[0] in ("script", "style", "title"):
            self.texts.append((*self.inside, data))


def parsed(path: Path) -> Tags:
    tags = Tags()
    tags.feed(path.read_text(encoding="utf-8"))
    return tags


def payload_of(path: Path):
    (text,) = [t for tag, kind, t in parsed(path).texts if kind == "application/json"]
    return json.loads(text)


def numbers(made) -> np.ndarray:
    """What a column holds."""
    share = made["dtype"] == "share"
    stored = np.dtype("<u2") if share else np.dtype(made["dtype"]).newbyteorder("<")
    values = np.frombuffer(base64.b64decode(made["data"]), stored).reshape(made["shape"])
    return values / 65535 if share else values


@pytest.fixture
def page(tmp_path):
    return lambda payload, name="page.html": write_explorer(tmp_path / name, payload)


def test_the_policy_allows_the_built_script_and_style_and_nothing_else(page):
    tags = parsed(page(make_payload(40)))
    rules = dict(rule.split(" ", 1) for rule in tags.policy.split("; "))
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for tag, kind, text in tags.texts
        if (tag, kind) in (("script", "module"), ("style", None))
    }
    assert {rules["script-src"], rules["style-src"]} == hashes
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    assert set(rules) == {
        *("default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"),
        "require-trusted-types-for",
    }


def test_names_of_users_add_no_tag_and_arrive_as_they_are(page):
    hostile = make_payload(60, classes=HOSTILE, models=2)
    hostile["title"] = "</title><script>alert(1)</script>"
    hostile["models"][0]["name"] = "--><script>"
    path = page(hostile)
    assert parsed(path).tags == parsed(page(make_payload(60), "plain.html")).tags
    arrived = payload_of(path)
    assert arrived["data"]["classes"] == [
        name.encode("utf-8", "replace").decode() for name in HOSTILE
    ]
    assert arrived["models"][0]["name"] == "--><script>"
    assert ("title", None, "</title><script>alert(1)</script>") in parsed(path).texts


def test_what_is_not_finite_is_null_and_numpys_numbers_are_numbers(page):
    payload = make_payload(40)
    payload["models"][0]["overall"]["nll"] = {
        "value": np.float32(0.5),
        "low": float("-inf"),
        "high": np.float64("nan"),
        "n": np.int64(40),
    }
    arrived = payload_of(page(payload))
    assert arrived["models"][0]["overall"]["nll"] == {
        "value": 0.5,
        "low": None,
        "high": None,
        "n": 40,
    }


def test_the_same_payload_gives_the_same_bytes(page):
    first, second = page(make_payload(80)), page(make_payload(80), "again.html")
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != page(make_payload(80, seed=1), "other.html").read_bytes()


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("int8", [-1, 9]),
        ("int16", [-1, 999]),
        ("int32", [[2**31 - 1, 0], [-1, 1]]),
        ("float32", [0.1, np.inf, np.nan]),
        ("float64", [2.0**53 - 1]),
        ("uint16", [65535]),
    ],
)
def test_columns_are_little_endian_arrays(dtype, values):
    made = column(np.array(values), dtype)
    np.testing.assert_array_equal(numbers(made), np.array(values, dtype))


@pytest.mark.parametrize(("dtype", "value"), [("int8", 200), ("int16", 2**15), ("int32", 2**31)])
def test_a_column_that_would_overflow_is_refused(dtype, value):
    with pytest.raises(ArcalError, match=f"{dtype} does not hold .* {value}"):
        column([0, value], dtype)


@pytest.mark.parametrize("kind", ["images", "table", "texts", "predictions"])
def test_made_up_payloads_are_of_the_pages_types(page, kind):
    assert not mistakes(payload_of(page(make_payload(20, kind=kind, models=2))))
