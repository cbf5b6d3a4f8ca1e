"""What is called like something else, or has no distance, in a real browser."""

import csv
import io
from pathlib import Path

import pytest
from chromium import browser, expect, reader
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


def test_a_name_from_right_to_left_stays_apart_from_the_numbers_beside_it(reader):
    name = "\u05e9\u05dc\u05d5\u05dd"
    payload = make_payload(kind="predictions", classes=(name, "dog", "frog"), models=2)
    page = reader.open(payload)
    row = page.locator("#classes .row").filter(has_text=name).get_by_role("button").first
    row.focus()
    said = page.locator("#classes .readout")
    expect(said).to_contain_text(name)
    places = said.evaluate(
        """(element, name) => {
            const at = (text) => {
                const range = document.createRange(), node = element.firstChild;
                const start = node.data.indexOf(text);
                range.setStart(node, start);
                range.setEnd(node, start + text.length);
                return range.getBoundingClientRect();
            };
            const number = /: ([0-9]+) input/.exec(element.textContent)[1];
            return [at(name).right, at(number).left];
        }""",
        name,
    )
    assert places[0] < places[1]
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert {row["label"] for row in rows} == {name, "dog", "frog"}


def test_what_has_changed_since_obeys_no_character_that_turns_the_writing(reader):
    payload = make_payload(kind="predictions", models=2)
    change = {
        "before": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9},
        "after": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9},
        "by": {"value": 0.0, "low": -0.1, "high": 0.1, "n": 9},
        "verdict": "not shown",
    }
    turned = "\u202eturned"
    payload["models"][0]["changes"] = {
        **{"since": turned, "model": turned, "n": 9, "same_inputs": False},
        "figures": [{"name": "accuracy", **change}],
        "groupings": [
            {"name": turned, "groups": [{"name": turned, "accuracy": change, "gap": change}]}
        ],
        "new": [{"name": turned, "groups": [turned]}],
        "gone": [{"name": turned, "groups": [turned]}],
    }
    payload["models"][1]["difference"]["than"] = turned
    said = reader.open(payload).inner_text("main")
    assert "turned" in said
    assert "\u202e" not in said


def test_a_level_without_any_distance_says_so(reader):
    payload = make_payload()
    payload["models"][0]["levels"][-1]["distance"] = [None, None]
    page = reader.open(payload)
    label = page.locator("#levels .mark").last.get_attribute("aria-label")
    assert label.endswith(", no distance found")
    first = page.locator("#levels .mark").first.get_attribute("aria-label")
    assert ", distance " in first


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


@pytest.mark.parametrize("size", WIDE)
def test_an_opened_input_has_room_for_long_names(reader, size):
    page = reader.open(payload_of_long_names(), "#with=2&input=103", size)
    wide, inside = page.locator(".facts").evaluate(
        "e => [e.parentElement.clientWidth, e.scrollWidth]"
    )
    assert inside <= wide
    assert (
        page.locator(".facts tbody th", has_text="Label").first.evaluate("e => e.clientHeight") < 80
    )
    assert page.locator(".probabilities tr").first.evaluate("e => e.clientHeight") < 80


@pytest.mark.parametrize("address", ["", "#with=2"])
def test_lines_of_the_list_do_not_run_into_each_other_on_a_phone(reader, address):
    page = reader.open(payload_of_long_names(), address, WIDE[1])
    over = """all => all.map(e => {
        const end = e.getBoundingClientRect().bottom;
        return Math.max(...[...e.children].map(c => c.getBoundingClientRect().bottom)) - end;
    })"""
    for place in (".list .line-input", "#suspects .line-input"):
        assert max(page.locator(place).evaluate_all(over)) <= 0


def test_a_model_with_a_long_name_takes_no_more_lines_than_its_figures(reader):
    page = reader.open(payload_of_long_names())
    assert page.locator("button.model").first.evaluate("e => e.clientHeight") < 170
