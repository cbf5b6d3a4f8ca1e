"""The page in a real browser, clicked through as its readers would."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from chromium import SIZES, THEMES, browser, expect, reader, shot
from explorer_payload import HOSTILE, make_payload
from test_explorer import numbers

from arcal.calibration import clopper_pearson

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


def selected(page) -> int:
    """How many inputs the list says it has."""
    return int(page.locator(".list").get_attribute("aria-label").split()[0].replace(",", ""))


def test_a_bin_shows_its_inputs_and_their_exact_interval(reader):
    payload = make_payload()
    page = reader.open(payload)
    one = payload["models"][0]
    mark = page.locator("#reliability .mark").last
    mark.click()
    expected = one["reliability"][-1]
    assert selected(page) == expected["count"]
    text = page.locator("#reliability .chosen .summary").first.inner_text()
    low, high = map(float, re.findall(r"right \(([\d.]+) to ([\d.]+)\)", text)[0])
    right = round(expected["accuracy"] * expected["count"])
    ends = clopper_pearson(torch.tensor([right]), torch.tensor([expected["count"]]))
    assert [low, high] == [round(100 * float(end), 1) for end in ends]
    expect(mark).to_have_attribute("aria-pressed", "true")
    mark.click()
    assert selected(page) == 300
    expect(page.locator(".chosen")).to_have_count(0)


def test_a_group_shows_its_inputs_is_filtered_and_exported(reader):
    payload = make_payload(kind="predictions")
    page = reader.open(payload)
    (grouping,) = payload["models"][0]["groupings"]
    rows = page.locator("#by-1 .row .line[data-mark]")
    assert rows.count() == 2, "the empty group is left out"
    rows.first.click()
    north = grouping["groups"][0]
    assert selected(page) == north["n"] == 120
    assert page.locator("#by-1 .chosen b").first.inner_text() == "Cat north"
    link = page.url
    page.locator("#inputs").get_by_label("Group").select_option("cat ship")
    assert selected(page) == 180
    page.goto("about:blank")
    page.goto(link)
    assert selected(page) == 120
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    exported = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert {row["cat"] for row in exported} == {"north"}
    page.locator(".list .line-input").first.click()
    expect(page.locator(".facts").first).to_contain_text("north")


def test_a_level_a_class_and_a_cell_show_their_inputs(reader):
    payload = make_payload(N=900)
    page = reader.open(payload)
    one = payload["models"][0]
    page.locator("#levels .mark").nth(2).click()
    assert selected(page) == one["levels"][2]["n"] == 90
    row = page.locator("#classes .row .line[data-mark]").first
    name = row.locator(".name").inner_text()
    row.click()
    (group,) = [group for group in one["classes"] if group["name"] == name]
    assert selected(page) == group["n"]
    heads = page.locator("#classes .cells i").all_inner_texts()
    assert heads == [str(r) for r in range(len(one["levels"]))], "levels count from 0"
    page.locator("#classes .heat[data-mark]").first.click()
    words = page.locator("#classes .chosen b").first.inner_text()
    level = int(words.rsplit(" ", 1)[1])
    n = [
        c["n"] for c in one["cells"] if c["class"] == _index(words, payload) and c["level"] == level
    ]
    assert [selected(page)] == n


def _index(words: str, payload) -> int:
    return payload["data"]["classes"].index(words.removeprefix("Predicted ").split(",")[0])


def test_a_corruption_shows_what_was_right_and_no_longer_is(reader):
    payload = make_payload()
    one = payload["models"][0]
    page = reader.open(payload)
    assert "The number is the intensity, from 1 to 5." in page.locator("#shift").inner_text()
    page.locator("#shift .line[data-mark]").first.click()
    labels, said = numbers(payload["inputs"]["label"]), numbers(one["inputs"]["predicted"])
    under = numbers(one["shift"][0]["predicted"])
    assert selected(page) == ((said == labels) & (under != labels)).sum() > 0


def test_a_mistake_shows_its_inputs(reader):
    payload = make_payload()
    page = reader.open(payload)
    page.locator("#mistakes .line[data-mark]").first.click()
    labels = numbers(payload["inputs"]["label"])
    said = numbers(payload["models"][0]["inputs"]["predicted"])
    pairs = np.unique(np.stack([labels, said])[:, labels != said], axis=1, return_counts=True)[1]
    assert selected(page) == pairs.max()


def test_filters_and_orders_of_the_list(reader):
    payload = make_payload()
    inputs = payload["models"][0]["inputs"]
    labels, said = numbers(payload["inputs"]["label"]), numbers(inputs["predicted"])
    page = reader.open(payload)
    bar = page.locator(".filter-bar")
    bar.get_by_label("Label", exact=True).select_option("dog")
    bar.get_by_label("Right or wrong", exact=True).select_option("wrong")
    assert selected(page) == ((labels == 1) & (said != 1)).sum()
    bar.get_by_label("Order", exact=True).select_option("confidence")
    wrong = np.flatnonzero((labels == 1) & (said != 1))
    sure = numbers(inputs["confidence"])
    first = page.locator(".list [data-row]").first
    assert int(first.get_attribute("data-row")) == wrong[sure[wrong].argmax()]
    page.locator(".direction").click()
    assert int(first.get_attribute("data-row")) == wrong[sure[wrong].argmin()]
    page.get_by_role("button", name="Remove the filter: wrong").click()
    assert selected(page) == (labels == 1).sum()
    page.get_by_role("button", name="Clear all").click()
    bar.get_by_label("Lists", exact=True).select_option(index=1)
    assert selected(page) == (said != labels).sum()
    bar.get_by_label("Lists", exact=True).select_option("any")
    bar.get_by_label("Id, search", exact=True).fill("123")
    assert selected(page) == 1


def test_one_input_opened_and_left_by_the_keyboard(reader):
    payload = make_payload()
    page = reader.open(payload, "#sort=id&input=100")
    dialog = page.locator("dialog[open]")
    expect(dialog.locator("figure")).to_have_count(3)
    expect(dialog.get_by_text("Input 100,")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_text("Input 101,")).to_be_visible()
    expect(page).to_have_url(re.compile("input=101"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # there is none before the first
    expect(dialog.get_by_text("Input 100,")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("input="))
    page.locator(".list button").nth(3).click()
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)


def test_export_holds_exactly_what_is_filtered(reader):
    payload = make_payload(classes=("cat", "=dog", 'a "fox", red'), R=10)
    inputs = payload["models"][0]["inputs"]
    page = reader.open(payload, "#level=0&sort=id")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export 30 as CSV").click()
    text = Path(download.value.path()).read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    chosen = np.flatnonzero(numbers(inputs["level"]) == 0)
    assert [int(row["id"]) for row in rows] == (chosen + 100).tolist()
    confidence = [float(row["confidence"]) for row in rows]
    np.testing.assert_allclose(confidence, numbers(inputs["confidence"])[chosen], rtol=1e-6)
    names = np.array(["cat", "'=dog", 'a "fox", red'])  # no spreadsheet computes a name
    assert [row["predicted"] for row in rows] == names[
        numbers(inputs["predicted"])[chosen]
    ].tolist()


def test_two_models_side_by_side(reader):
    payload = make_payload(models=2)
    labels = numbers(payload["inputs"]["label"])
    first, second = (numbers(one["inputs"]["predicted"]) == labels for one in payload["models"])
    page = reader.open(payload)
    expect(page.locator(".readings")).to_have_count(2)
    differs = page.locator(".readings").last.locator(".against").all_text_contents()
    assert differs[2] == "against the first: −0.250 (−0.300 to −0.200)"
    page.locator("#compare select").select_option("model 2")
    counts = [int(n) for n in page.locator(".quadrant b").all_text_contents()]
    both = [first & second, first & ~second, ~first & second, ~first & ~second]
    assert counts == [group.sum() for group in both]
    page.locator(".quadrant.second").click()
    assert selected(page) == (~first & second).sum()
    rows = np.flatnonzero(~first & second)
    apart = _apart(payload)[rows]
    row = int(page.locator(".list [data-row]").first.get_attribute("data-row"))
    assert abs(_apart(payload)[row] - apart.max()) < 1e-3
    assert "with=2" in page.url


def _apart(payload) -> np.ndarray:
    """Half the L1 distance of both models' probabilities, which are all of them: four classes."""
    p = []
    for one in payload["models"]:
        top = numbers(one["inputs"]["top_class"])
        p.append(np.zeros_like(numbers(one["inputs"]["top_probability"])))
        np.put_along_axis(p[-1], top, numbers(one["inputs"]["top_probability"]), axis=1)
    return np.abs(p[0] - p[1]).sum(axis=1) / 2


def test_everything_by_the_keyboard(reader):
    page = reader.open(make_payload())
    page.locator("#levels .mark").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator("#levels .mark").nth(1).get_attribute("aria-pressed") == "true"
    page.locator("#classes .line[data-mark]").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert "level" in page.evaluate(focused)
    page.locator(".list button").first.focus()
    page.keyboard.press("End")
    last = f"[data-place='{selected(page) - 1}']"
    expect(page.locator(f"{last}:focus, {last} :focus")).to_have_count(1)
    assert page.evaluate(focused).startswith("Input")
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()


def test_a_link_shows_the_same_again_and_nonsense_is_left_out(reader):
    page = reader.open(make_payload(), "#level=3&right=no&sort=confidence-down")
    assert page.locator(".chips button").all_inner_texts()[:2] == ["level 3 ×", "wrong ×"]
    page = reader.open(make_payload(), "#level=99&label=-1&sort=constructor&input=x&model=7&with=2")
    assert selected(page) == 300
    expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
@pytest.mark.parametrize("theme", THEMES)
def test_hostile_names_are_shown_and_do_nothing(reader, tmp_path, size, theme):
    payload = make_payload(classes=HOSTILE, models=2, of=10_000)
    page = reader.open(payload, "#predicted=0&from=classes", size, theme)
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    page.wait_for_timeout(300)
    shot(page, tmp_path, f"hostile-{size[0]}-{theme}")
    page.locator(".list button").first.click()
    expect(page.locator("dialog h2")).to_contain_text("</script><img src=x onerror=alert(1)>")
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (min(map(int, re.findall(r"\d+", background)[:3])) > 200) == (theme == "light")


@pytest.mark.parametrize(
    "payload",
    [
        {"kind": "texts", "models": 2},
        {"kind": "table", "shift": False},
        {"kind": "predictions", "R": None, "shift": False},
        {"N": 10},
        {"N": 1},
        {"N": 50, "classes": ("only",)},
        {"N": 1500, "kind": "predictions", "classes": [f"class {i}" for i in range(1000)]},
        {"kind": "predictions"},
    ],
    ids=[
        *("texts", "table", "no robustness", "ten", "one input", "one class", "1,000 classes"),
        "no images",
    ],
)
@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
def test_pages_of_every_kind(reader, tmp_path, payload, size, request):
    page = reader.open(make_payload(**payload), size=size)
    assert selected(page) == payload.get("N", 300)
    for button in page.get_by_role("button", name="as a table").all():
        button.click()
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert page.locator("table").count() >= 4
    for button in page.get_by_role("button", name="as a table").all():
        button.click()
    page.locator(".list button").first.click()
    expect(page.locator("dialog[open] .facts")).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)
    shot(page, tmp_path, f"{request.node.callspec.id}".replace(",", "").replace(" ", "-"))


@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing(reader, size, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    addresses = ["", "#level=0&from=levels&with=2", "#input=101&sort=id"]
    for address in addresses:
        page = reader.open(make_payload(models=2), address, size, theme)
        page.wait_for_timeout(200)
        found = axe.run(page).response["violations"]
        said = [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found]
        assert not said
    page = reader.open(make_payload(models=2), "", size, theme)
    for button in page.get_by_role("button", name="as a table").all():
        button.click()
    assert not axe.run(page).response["violations"]


def test_of_ten_thousand_images_only_those_on_the_screen_are_drawn(reader):
    page = reader.open(make_payload(10_000))
    assert 0 < page.locator(".list .item").count() < 200
