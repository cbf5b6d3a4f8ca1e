"""What others read: JSON by its schema, conditions, Markdown, a model card."""

import copy
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

import arcal
from arcal.attacks import BoundaryProjection
from arcal.auditing import as_predictions
from arcal.audits import Condition, failures
from arcal.errors import ArcalError
from arcal.report.audited import Finding, figure_names, figures
from tests.audits import tiny

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


def test_markdown_is_a_table_of_all_models(audit):
    text = audit.markdown()
    assert "| | one | tw\\|o |" in text
    header = text.splitlines().index("| | one | tw\\|o |")
    rows = text.splitlines()[header + 2 :]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows[: rows.index("")])


def test_classes_in_another_order_are_suspected_aloud():
    labels = torch.arange(300) % 3
    logits = 5.0 * torch.eye(3)[(labels + 1) % 3]
    audit = arcal.audit(as_predictions(logits=logits, labels=labels), classes=["a", "b", "c"])
    (line,) = audit.doubts
    assert "what it calls a is c, b is a and c is b" in line
    assert line in audit.as_json()["notes"]
    assert line.partition(": ")[2] in audit.summary(None)
