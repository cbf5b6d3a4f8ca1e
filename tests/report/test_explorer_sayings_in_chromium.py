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
from arcal.calibration.clusters import Clusters
from arcal.calibration.weighted import effective_of
from arcal.report.explorer import column

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


def summary(page) -> str:
    return page.locator(".selection .summary").first.inner_text().replace("\u00a0", " ")


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
