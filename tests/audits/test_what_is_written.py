"""What others read: JSON by its schema, conditions, Markdown, a model card."""

import copy
import dataclasses
import json
import math
import re
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

import arcal
from arcal.attacks import BoundaryProjection
from arcal.auditing import Audited, Caveat, as_predictions
from arcal.audits import Audit, Condition, Examples, Job, Settings, failures, run_jobs
from arcal.errors import ArcalError
from arcal.report.audited import Finding, figure_names, figures, suspicions
from tests.audits import tiny
from tests.audits.numbers_of_a_page import numbers, payload_of

SCHEMA = json.loads((Path(arcal.__file__).parent / "audits" / "audit.schema.json").read_text())


@pytest.fixture(scope="module")
def audit():
    part = tiny.part(240)
    return arcal.audit(
        {"one": tiny.Brightness(), "tw|o": tiny.Brightness(2.0)},
        part,
        attack=BoundaryProjection(budget=10),
        R=3,
        other={"itself": part},
    )


@pytest.fixture(scope="module")
def schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def test_json_is_what_the_schema_says(audit, schema):
    schema.validate(json.loads(json.dumps(audit.as_json(), allow_nan=False)))
    bare = arcal.audit(as_predictions(logits=[[3.0, 0.0]] * 3, labels=[0, 0, 1]))
    schema.validate(json.loads(json.dumps(bare.as_json(), allow_nan=False)))


def test_robust_accuracy_counts_what_is_right_and_farther_from_the_boundary(audit):
    for model, found in zip(audit.models, audit.as_json()["models"], strict=True):
        distance = model.robustness.robustness.double()
        right = model.predictions.predicted == model.predictions.labels
        curve = found["robust_accuracy"]
        assert len(curve) == 101
        assert curve[0]["radius"] == 0
        assert curve[0]["accuracy"]["value"] == found["overall"]["accuracy"]["value"]
        assert curve[-1]["radius"] == distance[right & distance.isfinite()].max()
        for point in curve[1:]:
            stays = (right & (distance > point["radius"])).double().mean()
            assert point["accuracy"]["value"] == pytest.approx(float(stays))
            assert point["accuracy"]["low"] <= stays <= point["accuracy"]["high"]


def test_right_inputs_without_a_distance_are_said_beside_robust_accuracy(schema):
    x, y = tiny.X, (tiny.X.mean((1, 2, 3)) > 0.5).long()
    y[:4] = 1 - y[:4]

    audit = arcal.audit(tiny.Brightness(), (x, y), attack=_fails_on_light, R=4)
    light = x[:, 0, 0, 0] > 0.5
    right = audit.models[0].predictions.correct
    n = int((right & light).sum())
    assert 4 < n < int(right.sum())
    found = audit.as_json()
    schema.validate(json.loads(json.dumps(found, allow_nan=False)))
    assert found["models"][0]["without_distance"] == n
    assert found["models"][0]["robust_accuracy"][-1]["accuracy"]["value"] == n / 40
    said = f"the attack failed on {n} inputs that the model gets right: robust accuracy counts them"
    assert said in audit.summary(None)
    assert said in audit.markdown()
    assert any(
        f"and the {n} of them that are right count in robust accuracy at every size." in note
        for note in found["notes"]
    )


def _fails_on_light(model, x, bounds):
    attacked = arcal.BoundaryProjection()(model, x, bounds)
    failed = x[:, 0, 0, 0] > 0.5
    return dataclasses.replace(
        attacked,
        distance=attacked.distance.masked_fill(failed, torch.inf),
        success=attacked.success & ~failed,
    )


def test_where_no_attack_failed_nothing_is_said_of_it(audit):
    assert [one["without_distance"] for one in audit.as_json()["models"]] == [0, 0]
    assert "attack failed" not in audit.summary(None)


def test_there_is_no_robust_accuracy_without_distances():
    of_order = arcal.audit(tiny.Brightness(), tiny.part(60), order="gradient", R=3)
    assert of_order.as_json()["models"][0]["robust_accuracy"] is None
    assert of_order.as_json()["models"][0]["without_distance"] is None


def test_robust_accuracy_of_weighted_inputs_begins_at_their_accuracy(audit):
    w = 1 + torch.arange(240, dtype=torch.float64) % 3
    weighted = dataclasses.replace(audit.models[0], weights=w)
    curve, accuracy = weighted.robust_accuracy, weighted.overall.accuracy
    assert curve is not None
    assert curve.accuracy[0].item() == pytest.approx(accuracy.value)
    assert curve.low[0].item() == pytest.approx(accuracy.low, abs=0.01)
    assert curve.high[0].item() == pytest.approx(accuracy.high, abs=0.01)


def test_where_it_may_act_alone_is_written(audit):
    for model, found in zip(audit.models, audit.as_json()["models"], strict=True):
        sure, right = model.predictions.confidence, model.predictions.correct
        for point in found["acting"]["curve"]:
            reached = sure >= point["confidence"]
            assert point["coverage"] == pytest.approx(float(reached.double().mean()))
            assert point["accuracy"]["value"] == pytest.approx(
                float(right[reached].double().mean())
            )
        for one in found["acting"]["thresholds"]:
            name = f"coverage_at_{100 * one['accuracy']:g}"
            assert found["figures"][name] == one.get("coverage", 0)
            assert (one["confidence"] is None) == (found["figures"][name] == 0)


def test_distances_are_those_of_inputs_that_are_there_as_often_as_they_weigh(audit):
    model, weights = audit.models[0], torch.arange(240) % 3
    distance = model.robustness.robustness
    assert audit.figures()["one"]["distance.median"] == float(np.median(distance))
    found = figures(Finding(dataclasses.replace(model, weights=weights.double())))
    often = distance.double().repeat_interleave(weights)
    assert found["distance.median"] == pytest.approx(often.quantile(0.5).item())
    assert found["distance.none_found"] == often.isinf().double().mean()


def test_other_data_is_told_from_inputs_as_they_weigh():
    part = tiny.part(60)
    x, second = part.pixels.float() / 255, torch.arange(60) >= 30
    there = {"some": (x[second], part.labels[second])}
    audit = arcal.audit(
        tiny.Brightness(), (x, part.labels), weights=second.double(), other=there, order=None
    )
    assert audit.figures()["model"]["other.some.auroc_confidence"] == pytest.approx(0.5)


def test_the_schema_knows_every_entry(audit, schema):
    """What is written and not described would be invisible to whoever reads the schema."""

    def closed(node):
        if isinstance(node, dict):
            node = {key: closed(value) for key, value in node.items()}
            if "properties" in node and "allOf" not in node:
                node["unevaluatedProperties"] = False
            if "allOf" in node:
                node["unevaluatedProperties"] = False
            return node
        return [closed(one) for one in node] if isinstance(node, list) else node

    strict: Any = closed(copy.deepcopy(SCHEMA))
    del strict["$defs"]["group"]["unevaluatedProperties"]  # levels and cells have more
    jsonschema.Draft202012Validator(strict).validate(audit.as_json())


@pytest.mark.parametrize(
    ("name", "value"), [("format", 2), ("models", []), ("sentence", None), ("data", {})]
)
def test_the_schema_refuses_other_json(audit, schema, name, value):
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(audit.as_json() | {name: value})


def test_conditions(audit):
    figures = audit.figures()
    ece = max(of["ece"] for of in figures.values())
    assert failures([Condition.parse(f"ece>{ece + 0.01}")], figures) == []
    assert [line.split(":")[0] for line in failures([Condition.parse("n>=240")], figures)] == [
        "one",
        "tw|o",
    ]
    assert Condition.parse(" least_robust.gap.low <= 1e-3 ") == Condition(
        "least_robust.gap.low", "<=", 0.001
    )
    with pytest.raises(ArcalError, match=r"no figure 'eec'; did you mean .*ece"):
        failures([Condition.parse("eec>0.1")], figures)


@pytest.mark.parametrize("text", ["", "ece", "ece>", ">0.1", "ece=0.1", "ece>x", "ece>0.1.2"])
def test_what_is_no_condition(text):
    with pytest.raises(
        ArcalError, match="is not a condition: write FIGURE>NUMBER in quotation marks"
    ):
        Condition.parse(text)


def test_documented_figures_are_there(audit):
    """Each name in the docstring of `figures` is one of the figures."""
    names = set(audit.figures()["one"])
    for name in ("n", "accuracy", "confidence", "gap", "ece", "ece_if_calibrated", "smooth_ece",
                 "nll", "brier", "level_0.gap", "level_2.n", "least_robust.accuracy.low",
                 "most_robust.confidence", "class.dark.gap", "worst_class.gap.high",
                 "shift.ece", "shift.fog-3.gap", "distance.median", "distance.none_found",
                 "other.itself.auroc_entropy", "suspects"):  # fmt: skip
        assert name in names, name
    assert audit.figures()["one"]["other.itself.auroc_entropy"] == pytest.approx(0.5)


def test_the_names_known_before_an_audit_are_those_of_its_figures(audit):
    panel = list(audit.models[0].shifted)
    known = partial(figure_names, tiny.CLASSES, levels=3, distances=True, panel=panel)
    for name, of_model in audit.figures().items():
        names = known(others=["itself"], several=name != "one")  # the first differs from none
        assert set(of_model) <= names
        assert {name.rpartition(".ece")[0] for name in names - set(of_model)} <= {
            f"class.{name}" for name in tiny.CLASSES
        } | {f"level_{r}" for r in range(3)} | {"least_robust", "most_robust"}, "few inputs"
    bare = arcal.audit(as_predictions(logits=[[3.0, 0.0]] * 600, labels=[0, 0, 1] * 200))
    found = set(bare.figures()["model"])
    assert found <= figure_names(("0", "1"))
    assert {"least_robust.gap", "shift.ece", "distance.median"}.isdisjoint(figure_names(("0",)))


def test_a_positive_class_can_be_a_condition():
    predictions = as_predictions(probabilities=[[0.6, 0.4]] * 50, labels=[0] * 45 + [1] * 5)
    (model,) = arcal.audit(predictions).models
    every = figures(Finding(model))
    names = {name: every[name] for name in every if name.startswith("positive")}
    assert names.keys() == {n for n in figure_names(model.classes) if n.startswith("positive")}
    assert names["positive.gap"] == pytest.approx(0.3)
    assert names["positive.frequency"] == pytest.approx(0.1)
    assert Condition.parse("positive.gap.low>0.1").holds(names)
    with pytest.raises(ArcalError, match=r"positive\.frequency lies between 0 and 1"):
        Condition.parse("positive.frequency>3").check(names)
    assert not any(name.startswith("positive") for name in figure_names(("a", "b", "c")))


def test_figures_of_a_corruption_and_of_classes_of_several_words_can_be_conditions():
    assert Condition.parse("shift.fog-3.gap>0.1").figure == "shift.fog-3.gap"
    assert Condition.parse("class.great white.ece >= .2").figure == "class.great white.ece"


def test_markdown_is_a_table_of_all_models(audit):
    text = audit.markdown()
    assert "| | one | tw\\|o |" in text
    header = text.splitlines().index("| | one | tw\\|o |")
    rows = text.splitlines()[header + 2 :]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows[: rows.index("")])


def test_sentences_say_what_the_figures_say(audit):
    for model in audit.models:
        over = model.overall
        (sentence,) = [line for line in audit.summary(None).splitlines() if
                       line.startswith(f"{model.name} is right")]  # fmt: skip
        assert f"{100 * over.accuracy.value:.1f} %" in sentence
        word = {1: "over-confident", -1: "under-confident", 0: "no gap beyond chance"}[
            over.gap.sign
        ]
        assert word in sentence


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ((), "class order or normalisation, or too little training?"),
        (("--classes",), "class order or normalisation, or too little training?"),
        (("--classes", "--normalize"), "or normalisation (--normalize), or too little training?"),
    ],
)
def test_a_flag_for_the_normalisation_is_named_where_there_is_one(options, end):
    labels = torch.arange(300) % 2
    (line,) = suspicions(torch.zeros(300).long(), labels, ("a", "b"), options=options)
    assert line.endswith(end)


def test_a_scale_that_was_suspected_is_said_in_place_of_a_low_accuracy():
    labels = torch.arange(300) % 2
    known = [
        Caveat("Left out", "left out: 3 images", "3 images"),
        Caveat("Scale", "another scale", about="scale"),
        Caveat("Drawn weights", "drawn anew", about="weights"),
    ]
    lines = suspicions(torch.zeros(300).long(), labels, ("a", "b"), known)
    assert lines == ["drawn anew", "another scale"]


def test_an_accuracy_near_chance_is_suspected_aloud():
    labels = torch.randint(0, 2, (300,), generator=torch.Generator().manual_seed(0))
    audit = arcal.audit(as_predictions(logits=[[0.0, 2.0]] * 300, labels=labels))
    assert "not clearly more than chance" in audit.summary(None)
    assert any("not clearly more than chance" in note for note in audit.as_json()["notes"])


def test_classes_in_another_order_are_suspected_aloud():
    labels = torch.arange(300) % 3
    logits = 5.0 * torch.eye(3)[(labels + 1) % 3]
    audit = arcal.audit(as_predictions(logits=logits, labels=labels), classes=["a", "b", "c"])
    (line,) = audit.doubts
    assert "what it calls a is c, b is a and c is b" in line
    assert line in audit.as_json()["notes"]
    assert line.partition(": ")[2] in audit.summary(None)


def test_a_model_card_is_read_by_the_hub(audit, tmp_path):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    audit.save(tmp_path)
    card = hub.ModelCard.load(tmp_path / "model-card.md")
    results = card.data.eval_results
    accuracy = [one for one in results if one.metric_type == "accuracy"]
    values = [model.overall.accuracy.value for model in audit.models]
    assert [one.metric_value for one in accuracy] == pytest.approx(values, rel=1e-5)
    assert {one.dataset_name for one in results} == {audit.data}


@pytest.mark.parametrize(("label", "nll"), [(0, 1e-5), (2, math.inf)])
def test_a_model_card_holds_numbers_whatever_they_are(label, nll, tmp_path):
    """`1e-05` and `inf`, as where a label is of a class that is ruled out, are texts in YAML."""
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    p = torch.tensor([[1 - 1e-5, 1e-5, 0.0]], dtype=torch.float64).repeat(200, 1)
    labels = torch.zeros(200, dtype=torch.int64)
    labels[0] = label
    arcal.audit(as_predictions(logits=p.log(), labels=labels)).save(tmp_path)
    results = hub.ModelCard.load(tmp_path / "model-card.md").data.eval_results
    values = {one.metric_type: one.metric_value for one in results}
    assert values["nll"] == pytest.approx(nll, rel=1e-3)


def test_a_model_card_holds_any_name(tmp_path):
    """YAML has no control characters, even within quotes."""
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    name = 'a "net\\7",\twith \x07'
    logits = 3 * torch.eye(2).repeat(20, 1)
    labels = torch.arange(2).repeat(20)
    Audit(name, (Audited(name, as_predictions(logits=logits, labels=labels), ("a", "b")),)).save(
        tmp_path
    )
    results = hub.ModelCard.load(tmp_path / "model-card.md").data.eval_results
    assert {one.dataset_name for one in results} == {name}


def test_models_of_other_sizes_have_their_own_pictures(tmp_path):
    """Perturbations of 20 x 20 pixels were held against images of 28 x 28: the page was lost."""
    small, large = tiny.part(60, size=20), tiny.part(60, size=28)
    small = dataclasses.replace(small, ids=large.ids, labels=large.labels)
    settings = Settings(attack=BoundaryProjection(budget=8))
    jobs = [
        Job(str(part.shape[1]), tiny.Brightness(), Examples.from_part(part), settings=settings)
        for part in (large, small)
    ]
    audit = Audit.from_jobs(jobs, run_jobs(jobs))
    shown = [one["perturbations"] for one in payload_of(audit.report(tmp_path))["models"]]
    assert [one["perturbed"]["width"] for one in shown] == [28, 20]
    assert [len(numbers(one["inputs"])) for one in shown] == [8, 8]
