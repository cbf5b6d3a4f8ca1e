import dataclasses
import json
import re
import statistics

import pytest
import torch

from arcal.errors import ArcalError
from arcal.report import images, pictures, shift_pictures, write_report
from arcal.report.drawing import render
from arcal.report.study import as_json, study
from arcal.report.tables import Spread

CLASSES = ("shirt", "coat", "$bag", "<boot>")
EVIL = "<script>alert('&')</script>"
ONE = {"figure-1", "figure-2", "reliability", "levels"}
EVALUATED = {"soft-labels", "ensembles", "shift", "variance", "entropy-1"}
ALL = ONE | EVALUATED
SETS = ("test", *(f"test-{type}-{i}" for type in ("fog", "snow", "spatter") for i in (1, 3)))
ATTACKED = {"least-robust", "most-robust", "estimate"}


def evil_runs(made):
    runs = [
        made.runs(sets=SETS, ood=("other",)),
        made.runs("label-smoothing", gap=0.0, sets=SETS, ood=("other",)),
        made.runs("ar-adals", {"R": 4}, gap=0.05, sets=SETS, ood=("other",)),
    ]
    runs[1] = dataclasses.replace(runs[1], label=EVIL)
    return runs


def write(out, made, runs):
    shown = made.showcase(runs[0])
    page = write_report(
        out, runs, title="A <title>", classes=CLASSES, notes=["chosen & noted"], showcase=shown
    )
    return page.read_text(encoding="utf-8")


@pytest.fixture
def report(made, tmp_path):
    runs = evil_runs(made)
    return write(tmp_path / "out", made, runs), tmp_path / "out", runs


def test_a_full_report(report, made, tmp_path):
    page, out, runs = report

    # every picture is there twice and on the page
    files = {path.name for path in (out / "pictures").iterdir()}
    assert files == {f"{name}.{kind}" for name in ALL | ATTACKED for kind in ("svg", "png")}
    assert page.count("<svg ") == len(ALL | ATTACKED)
    for name in ALL | ATTACKED:
        assert (out / "pictures" / f"{name}.svg").read_text().startswith("<?xml")

    # self-contained: links go to the files beside it, nothing is loaded
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert "http:" not in without_namespaces
    assert "https:" not in without_namespaces
    assert "<script" not in page
    assert "<link" not in page
    assert "@import" not in page
    targets = re.findall(r'(?:href|src)="([^"]*)"', page)
    local = {target for target in targets if not target.startswith(("#", "data:image/png"))}
    assert local == {"figures.json", "pictures/"}
    assert len(page) < 3_000_000

    # ids of different pictures do not collide, and what is referred to exists
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)
    assert {target[1:] for target in targets if target.startswith("#")} <= set(ids)

    # what people wrote is escaped, where it was read from stays private
    assert "&lt;script&gt;" in page
    assert "A &lt;title&gt;" in page
    assert "chosen &amp; noted" in page
    assert "private" not in page

    # the numbers are those of the runs
    figures = json.loads((out / "figures.json").read_text())
    assert [method["label"] for method in figures["methods"]] == [r.label for r in runs]
    ece = Spread(tuple(found["ece"] for found in runs[0].figures["test-fog-1"]))
    stored = figures["methods"][0]["sets"]["test-fog-1"]["ece"]
    assert stored == {
        "mean": ece.mean,
        "deviation": ece.deviation,
        "values": list(ece.values),
    }
    assert f"{100 * ece.mean:.2f} ± {100 * statistics.stdev(ece.values):.2f}" in page
    vanilla = figures["methods"][0]
    of_fog = [found["ece"] for found in runs[0].figures["test-fog-3"]]
    assert vanilla["shift"]["ece"]["by_type"]["fog"][2] == pytest.approx(statistics.mean(of_fog))
    assert vanilla["shift"]["ece"]["by_type"]["fog"][1] is None
    assert vanilla["ensemble"]["ece"]["values"] == [runs[0].ensemble["test"]["ece"]]
    assert vanilla["stability"]["churn"]["clean"]["mean"] == runs[0].stability["test"]["churn"]
    of_other = vanilla["out_of_distribution"][0]
    assert of_other["runs"][0]["auroc_entropy"] == runs[0].ood[0].runs[0].auroc_entropy
    assert len(vanilla["reliability"]["low"]) == 3
    assert len(vanilla["ensemble_reliability"]["low"]) == 15
    assert "mean corruption ECE" in page
    assert "mCE" not in page
    assert "resized from 10 x 10 to 8 x 8, colour turned grey by luminance" in page
    assert figures["showcase"]["model"] == "Vanilla, seed 0"
    assert figures["showcase"]["failed"] == 2
    assert figures["showcase"]["distance"][-1] is None
    assert "failed on 2 of them" in page

    # the same input gives the same bytes
    compared = study(evil_runs(made), 10, 4)
    shown = made.showcase(runs[0])
    for name, draw in {
        "shift": lambda: shift_pictures.shift(compared),
        "least-robust": lambda: images.least_robust(shown, CLASSES),
    }.items():
        render(name, draw, tmp_path)
        for path in (tmp_path / f"{name}.svg", tmp_path / f"{name}.png"):
            assert path.read_bytes() == (out / "pictures" / path.name).read_bytes()


def test_one_method_and_one_seed(made, tmp_path):
    runs = made.runs(seeds=(3,))
    out, again = tmp_path / "out", tmp_path / "again"
    for folder in (out, again):
        page = write_report(folder, [runs], title="One", classes=CLASSES, notes=[], R=3)
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        assert path.read_bytes() == (again / path.relative_to(out)).read_bytes(), path.name
    text = page.read_text(encoding="utf-8")
    files = {path.stem for path in (out / "pictures").iterdir()}
    assert files == ONE
    assert "±" not in re.sub(r"<p class=\"meta\">.*?</p>", "", text)
    assert "needs at least two runs" in text
    assert "least robust images" not in text
    for section in ("Under shift", "From run to run", "Ensembles", "Out of distribution"):
        assert f"<h2>{section}</h2>" not in text


def test_many_methods_have_panels_with_letters_of_their_own(made):
    runs = [made.runs("label-smoothing", {"epsilon": i / 100}, seeds=(0,)) for i in range(28)]
    titles = [axes.get_title() for axes in pictures.figure_2(study(runs, 3, made.Z)).axes]
    letters = [title.partition(")")[0] for title in titles]
    assert letters[0] == "(a"
    assert letters[25:28] == ["(z", "(aa", "(ab"]


def test_methods_of_one_to_three_runs_and_by_chance(made, tmp_path):
    runs = [made.runs(seeds=tuple(range(n)), gap=0.1 * n) for n in (1, 2, 3)]
    runs = [
        dataclasses.replace(
            of,
            robustness=[dataclasses.replace(one, order="random") for one in of.robustness],
            label=f"method{i}",
        )
        for i, of in enumerate(runs)
    ]
    page = write_report(tmp_path, runs, title="", classes=CLASSES, notes=[]).read_text()
    assert "1 to 3 runs a method." in page
    assert "Images are ranked by chance and" in page
    assert "ranked by its own model" not in page


def test_ties_lead_nothing_and_one_set_has_no_mean(made, tmp_path):
    runs = [made.runs(sets=("test", "test-fog-1"))] * 2
    page = write_report(tmp_path, runs, title="", classes=CLASSES, notes=[]).read_text()
    assert 'class="best"' not in page
    assert "mean corruption ECE" not in page


def test_a_showcase_of_no_known_run_is_of_one_model(made, tmp_path):
    from arcal.report import _attacked_model

    runs = made.runs()
    shown = made.showcase(runs)
    assert _attacked_model(shown, [runs]) == "Vanilla, seed 0"
    strange = dataclasses.replace(shown, estimate=shown.estimate + 1)
    assert _attacked_model(strange, [runs]) == "one model"


def test_mixed_orders_are_refused(made, tmp_path):
    runs = made.runs()
    mixed = [dataclasses.replace(runs.robustness[0], order="margin"), *runs.robustness[1:]]
    runs = dataclasses.replace(runs, robustness=mixed)
    with pytest.raises(ArcalError, match="use one order"):
        write_report(tmp_path, [runs], title="", classes=CLASSES, notes=[])


def test_levels_without_errors_are_drawn(made):
    runs = made.runs(seeds=(0,))
    (found,), (scores,) = runs.predictions, runs.robustness
    right = dataclasses.replace(found, labels=scores.predicted)
    compared = study([dataclasses.replace(runs, predictions=[right])], 2, made.Z)
    (method,) = as_json(compared)
    assert method["levels"]["share_of_misclassified"] == [[None, None]]
    assert torch.tensor(method["levels"]["accuracy"]).min() == 1
    _, shares = pictures.make_up(compared, CLASSES).axes[:2]
    assert not shares.containers
