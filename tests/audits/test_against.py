"""An audit held against an earlier one: what is read of it, what is refused, and what is said."""

import json
import shutil
from functools import cache

import pytest
import torch

import arcal
from arcal.auditing import Audited, as_predictions, grouping, standing
from arcal.audits import Audit, Condition, failures, read_earlier
from arcal.errors import ArcalError
from arcal.report.audited import figure_names
from tests.audits.numbers_of_a_page import payload_of

CLASSES = ("healthy", "ill")


@cache
def month(seed, off=0.0, *, n=120, Z=2, name="model", weighted=False):
    """A model that is calibrated, but for what is added to the logits of all classes but one."""
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, Z, generator=draw, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=draw)[:, 0]
    logits[:, 1:] += off
    return Audited(
        name,
        as_predictions(logits=logits, labels=labels),
        CLASSES if Z == 2 else ("0", "1", "2"),
        weights=torch.tensor([1.0, 9.0]).double().repeat(n // 2) if weighted else None,
        groupings=[grouping("site", ["north", "south"] * (n // 2))],
        calibrators=False,
    )


def audit(*models, against=None):
    earlier = None if against is None else read_earlier(against)
    if earlier is not None:
        earlier = earlier.matched([one.name for one in models])
    return Audit("month", models, against=earlier)


@pytest.fixture(scope="module")
def october(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits") / "october"
    audit(month(0)).save(folder)
    return folder


@pytest.fixture(scope="module")
def november(october):
    return audit(month(1, 3.0), against=october)


def test_what_is_read_is_what_was_written(october):
    mine, read = standing(month(0)), read_earlier(october / "audit.json").models["model"]
    assert (read.name, read.n) == (mine.name, mine.n)
    assert read.figures == mine.figures
    for name, variance in mine.variances.items():
        assert read.variances[name] == pytest.approx(variance, rel=0.05), "from bins"
    for ours, theirs in zip(mine.groups["site"], read.groups["site"], strict=True):
        assert (ours.name, ours.n, ours.few) == (theirs.name, theirs.n, theirs.few)
        assert (ours.accuracy, ours.gap) == (theirs.accuracy, theirs.gap)


def test_what_has_changed_is_said_wherever_findings_are(november, october, tmp_path):
    (since,) = november.changes
    change = since.figures["positive.gap"]
    assert (since.since, since.model, since.n) == (str(october), "model", 120)
    assert change.verdict == "higher"
    text = " ".join(november.summary().split())
    first = f"since {october} (120 inputs) it does "
    assert first in text
    assert "the mean probability of ill minus its share" in text
    size = f"{100 * change.by.value:.1f} points [{100 * change.by.low:.1f}, "
    assert f"higher by {size}" in text
    assert f"higher by {size}".replace("[", r"\[") in november.markdown()
    saved = november.report(tmp_path / "november")
    page = payload_of(saved)
    (model,) = page["models"]
    assert any(note.startswith(f"S{first[1:]}") for note in page["notes"])
    written = json.loads((tmp_path / "november" / "audit.json").read_text())["models"][0]
    assert model["changes"] == written["changes"]
    rows = {one["name"]: one for one in written["changes"]["figures"]}
    assert [*rows] == [*since.figures]
    assert rows["positive.gap"]["by"]["low"] == change.by.low
    assert written["figures"]["changes.positive.gap.low"] == change.by.low
    assert f"since {october}".replace("_", r"\_") in (
        (tmp_path / "november" / "model-card.md").read_text()
    )


def test_nothing_is_called_changed_that_chance_explains(october):
    december = audit(month(2), against=october)
    (since,) = december.changes
    assert since is not None
    every = [
        *since.figures.values(),
        *(c for g in since.groupings["site"].values() for c in g.values()),
    ]
    assert {one.verdict for one in every} == {"not shown"}
    text = " ".join(december.summary().split())
    assert "(120 inputs) it does neither better nor worse beyond chance not changed" in text
    assert "not changed beyond chance since then: accuracy (" in text
    assert "changed since then: " not in text
    assert "by site: none of 2 groups has changed beyond chance since then" in text


def test_changes_are_conditions(november, october):
    (figures,) = november.figures().values()
    changed = {name for name in figures if name.startswith("changes.")}
    assert "changes.by.site.north.gap.high" in changed
    known = read_earlier(october).figure_names()
    names = figure_names(CLASSES, groupings=november.models[0].groupings, changes=known)
    assert changed == {name for name in names if name.startswith("changes.")}
    without = figure_names(CLASSES, changes=known)
    assert not any(".by." in name for name in without), "here nothing is grouped"
    assert "changes.accuracy.high" in without
    assert failures([Condition.parse("changes.positive.gap.low>0")], november.figures())
    assert not failures([Condition.parse("changes.accuracy.low>0")], november.figures())
    for text in ("changes.accuracy.high<0", "changes.by.site.north.accuracy<-0.05"):
        Condition.parse(text).check(figures)
    with pytest.raises(ArcalError, match=r"changes\.accuracy lies between -1 and 1"):
        Condition.parse("changes.accuracy<-5").check(figures)
    with pytest.raises(ArcalError, match="name it with --against"):
        Condition.parse("changes.accuracy<0").check({"accuracy": 0.5})


def test_audits_of_the_same_inputs_are_told(october, november, tmp_path):
    again = audit(month(0, 0.5, name="b"), against=october)
    assert again.changes[0] is not None
    assert again.changes[0].same_inputs
    says = f"the inputs seem to be those of {october}"
    assert says in " ".join(again.summary().split())
    assert any(note.startswith(says) for note in again.as_json()["notes"])
    assert not november.changes[0].same_inputs
    assert "seem to be those" not in november.summary(None)
    shutil.copy(october / "audit.json", tmp_path / "last.json")  # without the table of its inputs
    (alone,) = audit(month(0), against=tmp_path / "last.json").changes
    assert alone is not None
    assert not alone.same_inputs


def test_other_classes_and_weights_in_one_alone_are_refused(october):
    with pytest.raises(ArcalError, match=r"its classes are healthy, ill \(2\) and here 0, 1 \(2\)"):
        arcal.audit(month(1).predictions, against=october)
    with pytest.raises(ArcalError, match=r"and here 0, 1, 2 \(3\), so their figures cannot"):
        audit(month(1, Z=3), against=october)
    with pytest.raises(ArcalError, match="inputs have none there, and weights here"):
        audit(month(1, weighted=True), against=october)


def _less_than_none(said):
    said["models"][0]["overall"]["accuracy"]["n"] = -1
    return said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda said: said | {"format": 2}, "is of format 2, and this arcal reads 1"),
        (lambda said: [1, 2], "is not an audit.json of arcal"),
        (lambda said: {"seeds": [0]}, "is not an audit.json of arcal"),
        (lambda said: said | {"models": []}, "lacks what an audit.json has"),
        (lambda said: said | {"models": [{"name": "x"}]}, "lacks what an audit.json has"),
        (lambda said: said | {"models": "\x1b[2J"}, "lacks what an audit.json has"),
        (_less_than_none, "lacks what an audit.json has (ValueError: n is -1)"),
        (lambda said: said | {"done": {"inputs": 1000, "of": 9000}}, "not finished, with 1,000 of"),
    ],
)
def test_what_is_no_whole_audit_is_one_line(october, tmp_path, change, says):
    said = json.loads((october / "audit.json").read_text())
    (tmp_path / "audit.json").write_text(json.dumps(change(said)))
    with pytest.raises(ArcalError) as error:
        audit(month(1), against=tmp_path)
    assert says in str(error.value)
    assert str(error.value).isprintable()


def test_a_file_that_is_cut_off_or_missing_is_one_line(october, tmp_path):
    whole = (october / "audit.json").read_bytes()
    for part in (whole[: len(whole) // 2], b"", b"\xff\xfe", b"[" * 100_000):
        (tmp_path / "audit.json").write_bytes(part)
        with pytest.raises(ArcalError, match="it is not complete JSON, as if it was"):
            read_earlier(tmp_path)
    with pytest.raises(ArcalError, match="nowhere is missing: name the folder of an earlier audit"):
        read_earlier(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArcalError, match=r"empty has no audit\.json"):
        read_earlier(tmp_path / "empty")
