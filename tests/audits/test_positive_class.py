"""The class whose probability is held against its frequency: the second of two, or one by name."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import arcal
from arcal.auditing import (
    Change,
    ClassProbability,
    as_answers,
    as_predictions,
    class_probability,
    positive_class,
)
from arcal.audits import Condition, failures
from arcal.errors import ArcalError
from tests.audits.numbers_of_a_page import payload_of
from tests.test_cli import arcal as command
from tests.test_cli import succeeds

NAMES = ("legitimate", "dispute", "fraud")


def looked_at(audit: arcal.Audit) -> ClassProbability:
    """What the audit of one model says of the probability of its positive class."""
    (model,) = audit.models
    assert model.positive is not None
    return model.positive


def changed(audit: arcal.Audit) -> Mapping[str, Change]:
    """The figures of its one model that can be compared with the earlier audit."""
    (since,) = audit.changes
    assert since is not None
    return since.figures


def three(seed: int = 0, share: float = 0.04, said: float = 0.12, N: int = 3000):
    """Predictions of three classes, of which fraud is rare and too probable unless `said` is it."""
    draw = np.random.default_rng(seed)
    labels = draw.choice(3, size=N, p=[0.7 - share, 0.3, share])
    probabilities = np.tile([0.7 - said, 0.3, said], (N, 1))
    return as_predictions(probabilities=probabilities, labels=labels)


def test_a_class_is_called_by_its_name_alone():
    assert positive_class("dispute", NAMES) == 1
    assert positive_class(None, NAMES) is None
    assert positive_class(None, NAMES[:2]) == 1
    with pytest.raises(ArcalError, match=r"positive is frauds, .* no such class: did you mean fr"):
        positive_class("frauds", NAMES)
    with pytest.raises(ArcalError, match="no such class: the classes are legitimate, dispute, fra"):
        positive_class("2", NAMES)
    with pytest.raises(ArcalError, match="positive is crane, and 2 classes have that name"):
        positive_class("crane", ("crane", "heron", "crane"))


def test_any_class_of_any_number_can_be_looked_at(tmp_path):
    audit = arcal.audit(three(), classes=NAMES, positive="fraud")
    one = looked_at(audit)
    assert one == class_probability(three(), 2)
    (line,) = [
        line for line in audit.summary(None).split("\n\n") if "its probability of fraud" in line
    ]
    assert "too high by" in " ".join(line.split())
    figures = audit.figures()["model"]
    assert figures["positive.gap"] == one.gap.value > 0.05
    assert failures([Condition.parse("positive.gap.low>0.05")], audit.figures())
    written = json.loads((audit.save(tmp_path) / "audit.json").read_text())
    assert written["models"][0]["positive"]["class"] == 2
    (model,) = payload_of(audit.report(tmp_path))["models"]
    assert model["inputs"]["positive_bin"] is not None
    plain = arcal.audit(three(), classes=NAMES)
    assert plain.models[0].positive is None
    assert not [name for name in plain.figures()["model"] if name.startswith("positive")]


def test_models_loaders_and_estimators_take_it():
    x, y = torch.rand(90, 12), torch.arange(90) % 3
    model = torch.nn.Linear(12, 3).eval()
    options = {"order": None, "classes": NAMES}
    pair = arcal.audit(model, (x, y), positive="dispute", **options)
    loader = arcal.audit(model, [(x[:45], y[:45]), (x[45:], y[45:])], positive="dispute", **options)
    assert looked_at(pair).z == looked_at(loader).z
    assert looked_at(pair).gap.value == pytest.approx(looked_at(loader).gap.value, abs=1e-6)
    assert pair.models[0].positive_class == 1
    numbered = arcal.audit(model, (x, y), order=None, positive=2)
    assert numbered.models[0].positive_class == 2
    fitted = LogisticRegression().fit(x.numpy(), np.array(NAMES)[y])
    estimator = arcal.audit(fitted, (x.numpy(), np.array(NAMES)[y]), positive="dispute")
    assert estimator.classes[looked_at(estimator).z] == "dispute"


def test_a_class_that_is_not_there_is_refused_before_anything_is_run():
    class Unseen(torch.nn.Linear):
        blocks = 0

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            self.blocks += len(input) > 10
            return super().forward(input)

    x, y, model = torch.rand(90, 12), torch.arange(90) % 3, Unseen(12, 3).eval()
    for data in ((x, y), [(x, y)]):
        with pytest.raises(ArcalError, match="positive is 3, and there is no such class"):
            arcal.audit(model, data, order=None, positive=3)
    assert model.blocks == 0
    with pytest.raises(ArcalError, match="answers are right or wrong"):
        arcal.audit(as_answers(confidence=[0.5, 0.7], correct=[True, False]), positive="right")


def test_audits_of_other_positive_classes_are_not_compared(tmp_path):
    arcal.audit(three(), classes=NAMES, positive="fraud").save(tmp_path / "october")
    later = {"classes": NAMES, "against": tmp_path / "october"}
    since = arcal.audit(three(1, share=0.1), positive="fraud", **later)
    assert changed(since)["positive.frequency"].verdict == "higher"
    text = " ".join(since.summary().split())
    assert "the share of fraud" in text
    with pytest.raises(ArcalError, match=r"probability of fraud and this of dispute.* --positive"):
        arcal.audit(three(1), positive="dispute", **later)
    unnamed = arcal.audit(three(1), **later)
    assert "positive.gap" not in changed(unnamed)


def test_the_command_takes_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(
        f"{('no', 'maybe', 'fraud')[i % 3]},0.{5 + i % 2},0.2,0.{3 - i % 2}\n" for i in range(120)
    )
    Path("mine.csv").write_text("label,p_no,p_maybe,p_fraud\n" + rows)
    out = succeeds("audit", "mine.csv", "--positive", "fraud").stdout
    assert "its probability of fraud" in " ".join(out.split())
    assert json.loads(Path("audit/audit.json").read_text())["models"][0]["positive"]["class"] == 2
    line = command("audit", "mine.csv", "--positive", "frod", "--out", "other").line
    assert line == (
        "arcal: mine.csv: positive is frod, and there is no such class: did you mean fraud?"
    )
    assert not Path("other").exists()
    Path("answers.csv").write_text("confidence,correct\n" + "0.5,1\n0.75,0\n" * 30)
    line = command("audit", "answers.csv", "--positive", "right").line
    assert line == "arcal: answers.csv: the file has right and wrong answers: leave out --positive"
    limit = ("--fail-if", "positive.gap.low>-0.9")
    assert command("audit", "mine.csv", "--positive", "maybe", *limit).code == 1
