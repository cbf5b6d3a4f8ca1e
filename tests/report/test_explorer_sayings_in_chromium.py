"""What the page says in a real browser: nothing is cut, nothing is said beyond the figures."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from chromium import browser, expect, reader
from explorer_payload import make_payload
from test_explorer import numbers

from arcal.auditing._estimate import accuracy_from
from arcal.calibration import clopper_pearson
from arcal.calibration.clusters import Clusters
from arcal.calibration.weighted import effective_of
from arcal.report.explorer import column

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow

WIDTHS = [1280, 1000, 375]
CUT = """elements => elements.filter(e => e.scrollWidth > e.clientWidth + 1
    || e.scrollHeight > e.clientHeight + 1).map(e => e.textContent)"""
"""The texts that do not fit where they are."""


def summary(page) -> str:
    return page.locator(".selection .summary").first.inner_text().replace("\u00a0", " ")


def without_cells(payload, classes: int, many: range):
    """The payload with so many classes, of which only some have inputs enough for a verdict."""
    one = payload["models"][0]
    for z in range(classes):
        group = one["classes"][z]
        few = z not in many
        group |= {"n": 3 if few else 100, "few": few, "verdict": "too few" if few else "not shown"}
        group["gap"] = {"value": 0.01 * z, "low": 0.01 * z - 0.1, "high": 0.01 * z + 0.1, "n": 100}
    one["cells"] = []
    return payload


@pytest.mark.parametrize("width", WIDTHS)
def test_titles_of_facts_are_on_one_line(reader, width):
    payload = make_payload(20)
    payload["data"]["facts"] = {"Columns": "a name of a column, " * 40, "Normalisation": "none"}
    payload["models"][0]["facts"] = {"Network": "a_long_name_without_a_space" * 5}
    page = reader.open(payload, size=(width, 800))
    titles = page.locator("footer dt")
    assert titles.count() == 5
    heights = titles.evaluate_all(
        "all => all.map(e => { const r = document.createRange(); r.selectNodeContents(e);"
        " return r.getClientRects().length })"
    )
    assert set(heights) == {1}


def test_the_whole_list_says_what_the_headline_says(reader):
    payload = make_payload()
    overall = payload["models"][0]["overall"]
    overall["gap"] = {"value": 0.0166, "low": -0.0004, "high": 0.0331, "n": 300}
    page = reader.open(payload)
    assert summary(page).endswith("no gap beyond chance (+1.7 points, −0.04 to 3.3)")
    overall["gap"] |= {"low": 0.0004}
    page = reader.open(payload)
    assert summary(page).endswith("over-confident by 1.7 points (0.04 to 3.3)")
    overall["gap"] = {"value": -0.1, "low": -0.13, "high": -0.07, "n": 300}
    page = reader.open(payload)
    assert summary(page).endswith("under-confident by 10.0 points (7.0 to 13.0)")


@pytest.mark.parametrize(("weighted", "clustered"), [(False, False), (True, False), (True, True)])
def test_the_gap_of_a_selection_is_the_confidence_minus_the_exact_interval(
    reader, weighted, clustered
):
    payload = make_payload(900, classes=("cat", "dog"))
    inputs = payload["models"][0]["inputs"]
    labels, said = numbers(payload["inputs"]["label"]), numbers(inputs["predicted"])
    w = np.random.default_rng(5).uniform(0.2, 3, 900).astype(np.float32)
    if weighted:
        w[said != labels] *= 2
        payload["inputs"]["weight"] = column(w, "float32")
    number = np.arange(900) // 5
    if clustered:
        payload["inputs"]["clusters"] = {"number": column(number, "int32"), "alike": 0.4}
    chosen = said == 1
    w = w[chosen].astype(float) if weighted else np.ones(chosen.sum())
    sure = numbers(inputs["confidence"])[chosen].astype(float)
    right = np.average(said[chosen] == labels[chosen], weights=w)
    w_t, sure_t, right_t = (
        torch.from_numpy(one) for one in (w, sure, said[chosen] == labels[chosen])
    )
    clusters = Clusters(torch.from_numpy(number[chosen]), 0.4) if clustered else None
    n = effective_of(w_t, sure_t, right_t, clusters) if weighted else chosen.sum()
    exact = accuracy_from(float(right), float(n))
    gap, low, high = (np.average(sure, weights=w) - v for v in (right, exact.high, exact.low))
    page = reader.open(payload, "#predicted=1&from=classes")
    found = re.findall(r"[−\d.]+", summary(page).rpartition("points")[2])
    low_shown, high_shown = (float(end.replace("−", "-")) for end in found)
    ends = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
    assert [low_shown, high_shown] == pytest.approx([100 * end for end in ends], abs=0.051)
    words = "over-confident" if gap > 0 else "under-confident"
    assert (words if low * high > 0 else "no gap beyond chance") in summary(page)


def test_ten_inputs_are_too_few_and_a_bin_says_no_more_than_its_interval(reader):
    payload = make_payload(10)
    assert "too few inputs to say more" in summary(reader.open(payload))
    bins = payload["models"][0]["reliability"]
    low, high = clopper_pearson(torch.tensor([80]), torch.tensor([100]))
    bins[-1] |= {
        "count": 100, "accuracy": 0.8, "confidence": 0.85,
        "accuracy_low": float(low), "accuracy_high": float(high), "verdict": "not shown",
    }  # fmt: skip
    page = reader.open(payload)
    bar = page.locator("#reliability .mark").last
    assert "no gap beyond chance (+5.0 points" in bar.get_attribute("aria-label")
    bins[-1]["confidence"] = 0.89  # beyond this interval, and not beyond that of 15 ranges
    words = reader.open(payload).locator("#reliability .mark").last.get_attribute("aria-label")
    assert "over-confident by 9.0 points" in words
    assert words.endswith("which may be chance, given the number of ranges")


@pytest.mark.parametrize("models", [1, 2])
@pytest.mark.parametrize("width", WIDTHS)
def test_figures_in_points_have_their_unit(reader, width, models):
    payload = make_payload(60, models=models)
    payload["models"][0]["overall"]["gap"]["value"] = -0.123
    page = reader.open(payload, size=(width, 800))
    assert not page.locator(".reading b").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    )
    units = {
        reading.locator(".what").inner_text(): "points" in reading.locator("b").inner_text()
        for reading in page.locator(".reading").all()
    }
    assert {name for name, points in units.items() if points} == {"Gap", "ECE", "Smooth ECE"}


@pytest.mark.parametrize("kind", ["predictions", "texts", "table"])
@pytest.mark.parametrize("width", WIDTHS)
def test_rows_without_pictures_show_class_and_confidence_whole(reader, kind, width):
    payload = make_payload(100, classes=("benign", "malignant"), kind=kind)
    page = reader.open(payload, size=(width, 800))
    cells = page.locator(".line-input :is(.said, .class, .is)")
    assert cells.count() > 20
    assert not cells.evaluate_all(CUT)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_chosen_order_is_readable(reader, width):
    page = reader.open(make_payload(100), size=(width, 800))
    if width == 375:
        page.get_by_text("Filters and order").click()
    order = page.locator(".filter-bar").get_by_label("Order", exact=True)
    for key in ("suspect", "disagreement"):
        if key in order.locator("option").evaluate_all("all => all.map(o => o.value)"):
            order.select_option(key)
        shown, needed = order.evaluate(
            """e => { const copy = document.createElement('select');
                copy.append(e.selectedOptions[0].cloneNode(true));
                copy.style.cssText = 'width:max-content;font-size:14px'; document.body.append(copy);
                const needed = copy.offsetWidth; copy.remove(); return [e.offsetWidth, needed] }"""
        )
        assert shown >= needed


@pytest.mark.parametrize("width", WIDTHS)
def test_names_of_corruptions_are_whole(reader, width):
    payload = make_payload(100)
    shift = payload["models"][0]["shift"]
    for one, type in zip(shift, ("gaussian_noise", "jpeg_compression"), strict=True):
        one["type"] = type
    page = reader.open(payload, size=(width, 800))
    names = page.locator("#shift .row:not(.head) .name > span")
    assert names.all_inner_texts() == ["Gaussian noise 3", "JPEG compression 3"]
    assert not names.evaluate_all(CUT)


def test_where_most_classes_are_too_few_only_the_others_are_listed_at_first(reader):
    payload = make_payload(200, classes=[f"class {z}" for z in range(40)], kind="predictions")
    page = reader.open(without_cells(payload, 40, range(5, 8)))
    rows = page.locator("#classes .row:not(.head)")
    words = "37 of the 40 predicted classes have too few inputs for a verdict. The other 3 are"
    assert words in page.locator("#classes").inner_text()
    assert rows.count() == 3
    page.get_by_role("button", name="Show those with too few").click()
    assert rows.count() == 20
    assert ": they are pale." in page.locator("#classes").inner_text()
    page = reader.open(without_cells(payload, 40, range(0)))
    assert "All 40 predicted classes have too few" in page.locator("#classes").inner_text()
    assert page.locator("#classes .row").count() == 0


def test_the_orders_of_the_classes_are_what_they_are_called(reader):
    """The widest gap is the least certain one."""
    payload = without_cells(make_payload(300), 4, range(4))
    gaps = [(0.021, 0.020, 0.022), (0.031, 0.001, 0.061), (-0.5, -0.9, 0.1), (0.0, -0.1, 0.1)]
    for group, (value, low, high) in zip(payload["models"][0]["classes"], gaps, strict=True):
        group["gap"] |= {"value": value, "low": low, "high": high}
    page = reader.open(payload)
    names = page.locator("#classes .row:not(.head) .name")
    order = page.get_by_label("Order of the classes")
    chosen = order.locator("option:checked")
    assert (chosen.inner_text(), names.all_inner_texts()[:2]) == (
        "most certain gap first", ["cat", "dog"],
    )  # fmt: skip
    order.select_option("largest gap first")
    assert names.all_inner_texts() == ["frog", "dog", "cat", "ship"]


def test_no_recommended_calibrator_is_said_and_pale_is_explained(reader):
    payload = make_payload()
    page = reader.open(payload)
    assert "None that keeps" not in page.locator("#calibrations").inner_text()
    for one in payload["models"][0]["calibrations"]:
        one["recommended"] = False
    payload["models"][0]["levels"][0]["few"] = True
    page = reader.open(payload)
    words = page.locator("#calibrations .words").inner_text()
    assert words.rstrip().split(". ", 1)[0].endswith("intervals")
    assert "None that keeps every prediction lowers the log-loss of these inputs" in words
    for id in ("reliability", "levels"):
        pale = page.locator(f"#{id} .few").count() > 0
        assert ("A pale bar" in page.locator(f"#{id} .words").inner_text()) == pale
    assert page.locator("#levels .few").count() == 1


def test_robust_accuracy_is_read_from_its_curve_and_from_its_table(reader):
    payload = make_payload(models=2)
    payload["models"][0]["norm"] = "linf"
    curve = payload["models"][0]["robust_accuracy"]
    page = reader.open(payload)
    assert "size of the change (L-infinity norm)" in page.locator("#robust svg").text_content()
    strips = page.locator("#robust .strip")
    box = strips.first.bounding_box()["width"]
    title = page.locator("#robust .unit").first.bounding_box()
    assert title["y"] + title["height"] <= strips.first.bounding_box()["y"]  # no curve runs there
    for i in (0, 17, strips.count() - 1):
        strips.nth(i).hover()
        middle = curve[-1]["radius"] * (i + 0.5) / strips.count()
        at = min(curve, key=lambda point: abs(point["radius"] - middle))
        said = page.locator("#robust .readout").inner_text()
        assert f"{100 * at['accuracy']['value']:.1f}" in said
        assert ("Unchanged" in said) == (i == 0)
    assert box > 5
    page.locator("#compare select").select_option("model 2")
    expect(page.locator("#robust polyline")).to_have_count(2)
    page.get_by_label("How often it stays right when inputs change: as a table").click()
    expect(page.locator("#robust tbody tr")).to_have_count(4)  # every fifth of 13, and the last
    expect(page.locator("#robust tbody tr").last.locator("th")).to_have_text("1.20")


def test_inputs_on_which_the_attack_failed_are_said_beside_robust_accuracy(reader):
    for n, says in ((1234, "1,234 inputs"), (1, "1 input"), (0, None)):
        (payload := make_payload())["models"][0]["without_distance"] = n
        said = reader.open(payload).locator("#robust .words").inner_text()
        assert (f"failed on {says} that the" in said) == ("failed" in said) == (n > 0)


def test_without_distances_there_is_no_robust_accuracy(reader):
    page = reader.open(make_payload(R=None, kind="predictions"))
    expect(page.locator("#reliability")).to_have_count(1)
    expect(page.locator("#robust")).to_have_count(0)


def test_accuracy_by_coverage_is_read_from_its_curve_and_its_thresholds(reader):
    payload = make_payload(models=2)
    curve = payload["models"][0]["acting"]["curve"]
    page = reader.open(payload)
    strips = page.locator("#acting .strip")
    for i in (0, 17, strips.count() - 1):
        strips.nth(i).hover()
        middle = (i + 0.5) / strips.count()
        at = min(curve, key=lambda point: abs(point["coverage"] - middle))
        said = page.locator("#acting .readout").inner_text()
        assert f"{100 * at['coverage']:.1f}" in said
        assert f"{100 * at['accuracy']['value']:.1f}" in said
    rows = page.locator("#acting tbody tr")  # the accuracy of all inputs is above the first target
    assert [row.inner_text().split("\t") for row in rows.all()] == [
        ["99.5\u00a0% or more", "99.987\u00a0%", "40.0\u00a0% (3)"],
        ["99.9\u00a0% or more", "not shown", "–"],
    ]
    page.locator("#compare select").select_option("model 2")
    expect(page.locator("#acting polyline")).to_have_count(2)
    page.get_by_label("If it only acts when it is sure: as a table").click()
    expect(page.locator("#acting tbody tr")).to_have_count(4)  # every fifth of 20
    expect(page.locator("#acting tbody tr").last.locator("th")).to_have_text("100.0\u00a0%")


def test_the_labels_of_an_axis_are_apart_on_a_phone(reader):
    payload = make_payload(R=None)
    for one in payload["models"][0]["classes"]:
        one |= {"few": False, "gap": {"value": -0.8, "low": -1.0, "high": 0.15}}
    page = reader.open(payload, size=(390, 844))
    labels = page.locator("#classes .track.axis text").all()
    boxes = [label.bounding_box() for label in labels]
    assert len(boxes) >= 3
    ends = [box["x"] + box["width"] for box in boxes]
    assert all(end + 2 < box["x"] for end, box in zip(ends, boxes[1:], strict=False))


def test_a_bar_says_of_its_inputs_what_they_say_when_it_is_chosen(reader):
    """Of 40 inputs that are half sure, a verdict would say too much."""
    payload = make_payload(900, classes=("cat", "dog"), R=None, kind="predictions")
    page = reader.open(payload)
    said = set()
    for bar in page.locator("#reliability .mark").all():
        words = bar.get_attribute("aria-label").rpartition("mean confidence")[2]
        words = words.removesuffix(", which may be chance, given the number of ranges")
        bar.click()
        chosen = page.locator("#reliability .chosen .summary").first.inner_text()
        assert re.split("[:,] ", words, maxsplit=1)[1] == chosen.rpartition(": ")[2]
        said.add("too few" in words)
    assert said == {True, False}


def test_mistakes_and_who_is_right_count_inputs_by_their_weights(reader):
    payload = make_payload(900, models=2)
    w = np.random.default_rng(5).lognormal(0, 1, 900).astype(np.float32)
    payload["inputs"]["weight"] = column(w, "float32")
    labels = numbers(payload["inputs"]["label"])
    one, other = (numbers(model["inputs"]["predicted"]) for model in payload["models"])
    sure = numbers(payload["models"][0]["inputs"]["confidence"])
    pairs = [(w[(labels == z) & (one == k)].sum(), z, k) for z in range(4) for k in range(4)]
    _, label, said = max(pair for pair in pairs if pair[1] != pair[2])
    rows, all_rows = (labels == label) & (one == said), labels == label
    page = reader.open(payload)
    mistake = page.locator("#mistakes .line[data-mark]").first
    words = mistake.get_attribute("aria-label")
    assert f" {rows.sum()} inputs of {all_rows.sum()}, " in words
    found = re.findall(r"([\d.]+)\u00a0%", words)
    expected = (w[rows].sum() / w[all_rows].sum(), np.average(sure[rows], weights=w[rows]))
    assert [float(v) for v in found] == pytest.approx([100 * v for v in expected], abs=0.051)
    mistake.click()
    chosen = page.locator("#mistakes .chosen").inner_text()
    assert f"mean confidence {found[1]}" in chosen  # the same of the same inputs
    assert "% right" not in chosen
    page.locator("#compare select").select_option("model 2")
    both = (one == labels) & (other == labels)
    share = page.locator(".quadrant.both small").first.inner_text().split()[0]
    assert float(share) == pytest.approx(100 * w[both].sum() / w.sum(), abs=0.051)
    n = payload["models"][0]["calibrations"][0]["ece_after"]["n"]
    calibrator = page.locator("#calibrations [data-mark]").first.get_attribute("aria-label")
    assert f"worth {n} inputs of equal weight" in calibrator
    with page.expect_download() as download:
        page.get_by_role("button", name="as CSV").click()
    with Path(download.value.path()).open(newline="") as file:
        weights = {int(row["id"]): float(row["weight"]) for row in csv.DictReader(file)}
    assert list(weights.values()) == pytest.approx([w[i - 100] for i in weights], rel=1e-6)


def test_a_small_negative_number_has_the_same_sign_twice(reader):
    payload = make_payload(60)
    payload["models"][0]["calibrations"][0]["nll_difference"] |= {"value": -5.2e-6, "low": -0.03}
    page = reader.open(payload)
    calibrator = page.locator("#calibrations [data-mark]").first
    assert "by −5\u00a0×\u00a010⁻⁶ (−0.030" in calibrator.get_attribute("aria-label")


def test_what_is_counted_among_the_listed_inputs_says_so(reader):
    payload = make_payload(200, models=2)
    payload["listed"] = "They are drawn at random."
    page = reader.open(payload, "#with=2")
    for figure in ("mistakes", "compare"):
        words = page.locator(f"#{figure} .words").inner_text()
        assert "among the 200 inputs that are listed" in words
    expect(page.locator("#levels .legend")).to_contain_text("that are listed")


def test_a_number_is_on_one_line_with_its_sign_of_per_cent(reader):
    payload = make_payload(60)
    payload["sentence"] = "It is right on 88.7 % of 60 inputs."
    payload["notes"] = ["Intervals are 95 %."]
    page = reader.open(payload)
    for place in ("h1", ".notes"):
        assert " %" not in page.locator(place).text_content()
    assert "88.7\u00a0%" in page.locator("h1").text_content()


@pytest.mark.parametrize("width", WIDTHS)
def test_both_names_of_a_mistake_are_seen_however_long(reader, width):
    long = "a class whose name is as long as eighty characters, as those of taxonomies are"
    payload = make_payload(200, classes=(f"1 {long}", f"2 {long}", f"3 {long}"))
    page = reader.open(payload, size=(width, 800))
    row = page.locator("#mistakes .row:not(.head)").first
    box = row.locator(".name").bounding_box()
    names = row.locator(".name > span > span")
    assert names.count() == 2
    for name in names.all():
        inside = name.bounding_box()
        assert inside["height"] > 10
        assert inside["y"] + inside["height"] <= box["y"] + box["height"] + 1


def test_one_input_is_described_in_whole_words_and_one_figure(reader):
    payload = make_payload(300)
    one = payload["models"][0]
    one["shift"][1]["type"] = "gaussian_noise"
    one["inputs"]["confidence"] = column(np.full(300, 0.50951), "float32")
    page = reader.open(payload, "#shift=1&sort=id&input=399", size=(375, 800))
    caption = page.locator("dialog figcaption").first  # its perturbation is not in the page
    assert caption.evaluate("e => e.getClientRects()[0].height") < 30
    assert "51.0" in page.locator(".opened header").inner_text()
    cell = page.locator(".probabilities tbody tr").first.locator("td").first
    assert "51.0" in cell.inner_text()
    assert "Under Gaussian noise 3" in page.locator(".opened .facts").inner_text()
    page.keyboard.press("Escape")
    assert "wrong under Gaussian noise 3" in page.locator(".chips").inner_text()
