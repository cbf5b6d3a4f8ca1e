"""The page as a whole, with everything on it and with next to nothing."""

import dataclasses
import json
import re
import statistics

import pytest

from arcal.auditing import CLEAN, Spread, Subject, shift_sets
from arcal.report import _attacked_model, images, write_report
from arcal.report.comparison import compare
from arcal.report.drawing import render
from made_up_subjects import Maker

CLASSES = ("shirt", "coat", "$bag", "<boot>")
EVIL = "<script>alert('&')</script>"
ALWAYS = {"figure-1", "figure-2", "reliability", "levels"}
EVALUATED = {"soft-labels", "ensembles", "shift", "variance", "entropy-1"}
ATTACKED = {"least-robust", "most-robust", "estimate"}
PICTURES = ALWAYS | EVALUATED | ATTACKED
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
    """The page's text and figures."""
    given = {"title": "", "classes": CLASSES, "notes": []} | options
    page = write_report(out, subjects, **given).read_text(encoding="utf-8")
    return page, json.loads((out / "figures.json").read_text())


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Folder, page, figures and subjects of a report with every picture."""
    out, subjects = tmp_path_factory.mktemp("report"), full_subjects()
    showcase = Maker().showcase(subjects[0])
    options = {"title": "A <title>", "notes": ["chosen & noted"], "showcase": showcase}
    return out, *written(out, subjects, **options), subjects


def test_every_picture_is_in_two_files_and_on_the_page(full):
    out, page, *_ = full
    files = {path.name for path in (out / "pictures").iterdir()}
    assert files == {f"{name}.{kind}" for name in PICTURES for kind in ("svg", "png")}
    assert page.count("<svg ") == len(PICTURES)
    for name in PICTURES:
        assert (out / "pictures" / f"{name}.svg").read_text().startswith("<?xml")


def test_links_go_to_the_files_beside_the_page_and_nothing_is_loaded(full):
    _, page, *_ = full
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    for foreign in ("http:", "https:", "@import"):
        assert foreign not in without_namespaces
    assert "<script" not in page
    assert "<link" not in page
    targets = re.findall(r'(?:href|src)="([^"]*)"', page)
    local = {target for target in targets if not target.startswith(("#", "data:image/png"))}
    assert local == {"figures.json", "pictures/"}
    assert len(page) < 3_000_000


def test_ids_of_different_pictures_do_not_collide_and_what_is_referred_to_exists(full):
    _, page, *_ = full
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)
    targets = re.findall(r'href="#([^"]*)"', page)
    assert set(targets) <= set(ids)


def test_what_people_wrote_is_escaped(full):
    _, page, figures, _ = full
    assert "&lt;script&gt;" in page
    assert "A &lt;title&gt;" in page
    assert "chosen &amp; noted" in page
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
    assert f"{100 * ece.mean:.2f} ± {100 * statistics.stdev(ece.values):.2f}" in page
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


def test_what_was_attacked_is_said(full):
    _, page, figures, subjects = full
    assert figures["showcase"]["model"] == "Vanilla, seed 0"
    assert figures["showcase"]["failed"] == 2
    assert figures["showcase"]["distance"][-1] is None
    assert "failed on 2 of them" in page
    showcase = Maker().showcase(subjects[0])
    strange = dataclasses.replace(showcase, estimate=showcase.estimate + 1)
    compared = compare(subjects, 10, len(CLASSES))
    assert _attacked_model(showcase, compared) == "Vanilla, seed 0"
    assert _attacked_model(strange, compared) == "one model"


def test_what_was_evaluated_and_how_it_was_made_is_said(full):
    _, page, *_ = full
    assert "mean corruption ECE" in page
    assert "mCE" not in page
    assert "400 images, resized from 10 x 10" in page
    assert "<dt>Network</dt><dd>small</dd>" in page


def test_the_same_images_give_the_same_pictures(full, tmp_path):
    out, _, _, subjects = full
    showcase = Maker().showcase(subjects[0])
    render("least-robust", lambda: images.least_robust(showcase, CLASSES), tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (out / "pictures" / path.name).read_bytes(), path.name


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
    assert figures["showcase"] is None
    (clean,) = classifier().measures[CLEAN].runs
    low, high = clean["ece_low"], clean["ece_high"]
    assert shown["calibration_errors"]["ece_low"]["values"] == [low]
    assert f"<td>{100 * low:.2f}</td><td>{100 * high:.2f}</td>" in page
    without_words = re.sub(r'<p class="meta">.*?</p>', "", page)
    assert "±" not in without_words
    assert "needs at least two runs" in page
    assert "<b>The methods</b>" not in page
    for section in ("Under shift", "From run to run", "Ensembles", "Out of distribution"):
        assert f"<h2>{section}</h2>" not in page


def test_the_same_subject_gives_the_same_page(bare, tmp_path):
    out, *_ = bare
    written(tmp_path, [classifier()], R=3)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (out, tmp_path)
    )
    assert len(first) == 2 * len(ALWAYS) + 2
    assert first.keys() == second.keys()
    for name, content in first.items():
        assert second[name] == content, name
