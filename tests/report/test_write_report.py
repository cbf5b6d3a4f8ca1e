"""The page as a whole, with everything on it and with next to nothing."""

import base64
import dataclasses
import io
import json
import statistics

import numpy as np
import pytest
import torch
from PIL import Image
from test_explorer import numbers, payload_of

from arcal.auditing import CLEAN, Spread, Subject, shift_sets
from arcal.data import InMemory
from arcal.errors import ArcalError
from arcal.report import write_report
from arcal.report.plots import FONTS
from made_up_subjects import Maker
from page_types import mistakes

CLASSES = ("shirt", "coat", "$bag", "<boot>")
EVIL = "<script>alert('&')</script>"
ALWAYS = {"figure-1", "figure-2", "reliability"}
EVALUATED = {"soft-labels", "shift", "variance", "entropy-1"}
PICTURES = ALWAYS | EVALUATED
SETS = shift_sets([f"{type}-{i}" for type in ("fog", "snow", "spatter") for i in (1, 3)])
FOG_1, FOG_3 = SETS[:2]


def full_subjects():
    """Vanilla of two runs, and one run of which no method is known, which adapts its labels."""
    maker = Maker()
    options = {"sets": SETS, "ood": ["other"]}
    vanilla = maker.subject(seeds=(0, 1), **options)
    mine = maker.subject("ar-adals", {"R": 4}, gap=0.05, seeds=(0,), **options)
    return [vanilla, dataclasses.replace(mine, name=EVIL, method=None)]


def written(out, subjects, **options):
    """What the page draws, and the figures beside it."""
    given = {"title": "", "classes": CLASSES, "notes": []} | options
    page = payload_of(write_report(out, subjects, **given))
    assert mistakes(page) == []
    return page, json.loads((out / "figures.json").read_text())


def made_up_part(N: int = 400) -> InMemory:
    """Images of the made-up test set, in another order."""
    ids = torch.arange(N).flip(0) * 3
    labels = (ids * 7919 // 3) % 4
    pixels = (ids % 251).to(torch.uint8)[:, None, None, None].expand(N, 1, 8, 8).clone()
    return InMemory("made-up/test", ids, labels, CLASSES, pixels)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Folder, page, figures and subjects of a report with every picture."""
    out, subjects = tmp_path_factory.mktemp("report"), full_subjects()
    options = {"title": "A <title>", "notes": ["chosen & noted"]}
    return out, *written(out, subjects, part=made_up_part(), **options), subjects


def pictures_of(page):
    return {
        picture["name"]: picture
        for section in page["comparison"]["sections"]
        for picture in section["pictures"]
    }


def rows_of(page, section, number=0):
    """The rows of a section's table, of all its parts."""
    (table,) = [
        one["tables"][number] for one in page["comparison"]["sections"] if one["title"] == section
    ]
    return [row for part in table["parts"] for row in part["rows"]]


def test_every_picture_is_in_two_files_and_on_the_page(full):
    out, page, *_ = full
    files = {path.name for path in (out / "pictures").iterdir()}
    assert files == {f"{name}.{kind}" for name in PICTURES for kind in ("svg", "png")}
    pictures = pictures_of(page)
    assert pictures.keys() == PICTURES
    for name, picture in pictures.items():
        svg = (out / "pictures" / f"{name}.svg").read_text()
        assert svg.startswith("<?xml")
        kind, _, data = picture["image"].partition(",")
        assert kind == "data:image/svg+xml;base64"
        shown = base64.b64decode(data).decode()
        assert "DejaVu" not in shown, "which the reader may not have"
        assert shown == svg.replace("'DejaVu Sans'", FONTS)
        assert picture["alt"]
        assert picture["caption"].endswith(".")


def test_what_people_wrote_arrives_as_it_is(full):
    out, page, figures, _ = full
    assert EVIL not in (out / "index.html").read_text(encoding="utf-8")
    assert page["title"] == "A <title>"
    assert page["notes"][0] == "chosen & noted"
    assert page["comparison"]["methods"][1]["name"] == EVIL
    assert page["models"][1]["name"] == EVIL
    assert figures["notes"] == ["chosen & noted"]
    assert [one["label"] for one in figures["methods"]][1] == EVIL


def test_the_numbers_are_those_of_the_subjects(full):
    _, page, figures, subjects = full
    vanilla, shown = subjects[0], figures["methods"][0]
    ece = Spread(tuple(run["ece"] for run in vanilla.measures[FOG_1].runs))
    assert shown["sets"]["test-fog-1"]["ece"] == {
        "mean": ece.mean,
        "deviation": ece.deviation,
        "values": list(ece.values),
    }
    cell = {"text": f"{100 * ece.mean:.2f} ± {100 * statistics.stdev(ece.values):.2f}"}
    cell |= {"mean": ece.mean, "deviation": ece.deviation}
    listed = [row["cells"][2] for row in rows_of(page, "The methods compared")]
    assert any(cell.items() <= one.items() for one in listed)
    fog_3 = statistics.mean(run["ece"] for run in vanilla.measures[FOG_3].runs)
    by_type = shown["shift"]["ece"]["by_type"]["fog"]
    assert by_type[2] == pytest.approx(fog_3)
    assert by_type[1] is None
    clean = vanilla.measures[CLEAN]
    assert shown["ensemble"]["ece"]["values"] == [clean.ensemble["ece"]]
    assert shown["stability"]["churn"]["clean"]["mean"] == clean.stability["churn"]
    (other,) = shown["out_of_distribution"]
    assert other["runs"][0]["auroc_entropy"] == vanilla.ood[0].runs[0].auroc_entropy
    assert [len(shown["reliability"]["low"]), len(shown["reliability"]["low"][0])] == [2, 15]
    assert len(shown["ensemble_reliability"]["low"]) == 15
    mine = figures["methods"][1]
    assert mine["ensemble_reliability"] is None
    assert mine["soft_labels_by_epoch"] == subjects[1].soft_labels.tolist()


def test_the_first_run_of_each_is_a_model_of_the_page(full):
    _, page, _, subjects = full
    assert [model["name"] for model in page["models"]] == ["Vanilla, seed 0", EVIL]
    ids = numbers(page["inputs"]["id"])
    assert (ids[1:] > ids[:-1]).all()
    for model, subject in zip(page["models"], subjects, strict=True):
        (first, *_), (scores, *_) = subject.clean, subject.robustness
        assert numbers(model["inputs"]["predicted"]).tolist() == first.predicted.tolist()
        assert numbers(model["inputs"]["distance"]).tolist() == scores.robustness.tolist()
        ece = subject.measures[CLEAN].runs[0]["ece"]
        assert model["overall"]["ece"]["value"] == pytest.approx(ece)
        shifted = {(one["type"], one["intensity"]): one for one in model["shift"]}
        assert len(shifted) == len(SETS)
        expected = subject.measures[FOG_3].runs[0]["accuracy"]
        assert shifted["fog", 3]["accuracy"]["value"] == expected
        assert shifted["fog", 3]["accuracy"]["low"] is None, "nothing single is known of it"
        assert model["calibrations"] == [], "the test set chooses nothing"
        auroc = subject.ood[0].runs[0].auroc_confidence
        assert model["other"][0]["auroc_confidence"] == auroc


def test_the_images_are_those_of_the_inputs(full):
    _, page, *_ = full
    assert page["data"]["kind"] == "images"
    sheets = page["images"]
    side, per_row = 8, sheets["per_row"]
    stream = io.BytesIO(base64.b64decode(sheets["sheets"][0].partition(",")[2]))
    drawn = np.asarray(Image.open(stream))
    for place in (0, 7, 100, 399):
        row, column = divmod(place, per_row)
        tile = drawn[row * side : (row + 1) * side, column * side : (column + 1) * side]
        assert abs(float(tile.mean()) - (3 * place) % 251) < 6
    assert page["models"][1]["perturbations"] is None


def test_images_of_another_set_are_refused(tmp_path):
    with pytest.raises(ArcalError, match="made-up/test lacks 390 of the 400 images that vanilla"):
        written(tmp_path, [Maker().subject(seeds=(0,))], part=made_up_part(10))


def classifier():
    """A classifier of which only predictions and robustness are known."""
    made = Maker(N=60).subject(seeds=(3,))
    return Subject.from_predictions("mine", made.predictions, robustness=made.robustness, R=3)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    out = tmp_path_factory.mktemp("bare")
    return out, *written(out, [classifier()], R=3)


def test_a_classifier_of_unknown_origin_is_reported(bare):
    out, page, figures = bare
    assert {path.stem for path in (out / "pictures").iterdir()} == ALWAYS
    (shown,) = figures["methods"]
    assert (shown["title"], shown["label"], shown["seeds"]) == ("mine", "mine", [[0]])
    (clean,) = classifier().measures[CLEAN].runs
    low, high = clean["ece_low"], clean["ece_high"]
    assert shown["calibration_errors"]["ece_low"]["values"] == [low]
    (errors,) = rows_of(page, "Reliability")
    ends = [cell["text"] for cell in errors["cells"][1:3]]
    assert ends == [f"{100 * low:.2f}", f"{100 * high:.2f}"]
    comparison = page["comparison"]
    said = json.dumps([comparison["sections"], comparison["remarks"]], ensure_ascii=False)
    assert "±" not in said
    assert "needs at least two runs" in said
    assert "The methods" not in [term["name"] for term in comparison["terms"]]
    titles = {section["title"] for section in comparison["sections"]}
    assert not titles & {"Under shift", "From run to run", "Ensembles", "Out of distribution"}
    assert [model["name"] for model in page["models"]] == ["mine"]
    assert page["images"] is None
    assert page["data"]["kind"] == "predictions"
