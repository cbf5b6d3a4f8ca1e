"""Several columns of one file, each with a confidence in the same answers, side by side."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from command_line import arcal as run_arcal

N = 600


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """Answers that are right as often as `logprob` says; `verbal` is rounded, and at least .5."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    p = draw.uniform(0.05, 0.95, N)
    right = draw.random(N) < p
    verbal, logprob = np.round(0.5 + p / 2, 1), np.round(p, 3)
    with Path("answers.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "correct", "verbal", "logprob", "topic"])
        rows.writerows((f"q{i}", int(right[i]), verbal[i], logprob[i], "s") for i in range(N))
    return {"verbal": verbal, "logprob": logprob}, right


def audited(*options):
    done = run_arcal("audit", "answers.csv", *options, "--out", "out")
    assert done.code == 0, done.stderr
    return done, json.loads(Path("out", "audit.json").read_bytes())


def test_each_is_audited_under_the_name_of_its_column(answers):
    columns, right = answers
    done, found = audited("--confidence", "verbal", "logprob", "--text", "topic")
    assert [model["name"] for model in found["models"]] == ["verbal", "logprob"]
    for model in found["models"]:
        figures, c = model["figures"], columns[model["name"]]
        assert figures["accuracy"] == pytest.approx(right.mean())
        assert figures["confidence"] == pytest.approx(c.mean(), abs=0.002), "1 is moved by .005"
        assert model["facts"]["Confidence"] == f"the column {model['name']}"
    assert found["models"][1]["figures"]["difference.aurc"] < 0, "rounding loses the order"
    assert "not used" not in done.stderr
    _, alone = audited("--confidence", "logprob")
    assert alone["models"][0]["figures"]["ece"] == found["models"][1]["figures"]["ece"]
    assert alone["models"][0]["name"] == "answers.csv"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["audit", "answers.csv", "answers.csv"], "names 2 columns, and there are 2 files: name"),
        (
            ["calibrate", "answers.csv"],
            "names 2 columns: calibrate one; `arcal audit` of all of them may help",
        ),
    ],
)
def test_where_only_one_can_be_several_are_refused(answers, arguments, says):
    done = run_arcal(*arguments, "--confidence", "verbal", "logprob")
    assert (done.code, says in done.line) == (2, True), done.stderr


def test_a_column_that_is_not_there_or_named_twice_is_refused(answers):
    done = run_arcal("audit", "answers.csv", "--confidence", "verbal", "sampled")
    assert (done.code, "nothing is called sampled, only id, correct" in done.line) == (2, True)
    done = run_arcal("audit", "answers.csv", "--confidence", "verbal", "verbal")
    assert (done.code, "two models are called verbal" in done.line) == (2, True)
