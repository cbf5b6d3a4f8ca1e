"""Samples that lm-evaluation-harness logged are predictions."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from arcal.errors import ArcalError
from arcal.prediction_files import ColumnNames, read_predictions
from arcal.prediction_files._files import holds_predictions

TOPICS = ("sums", "law")


def sample(i, target, z, options, *, acc=None, **more):
    """A row as lm-evaluation-harness 0.4.13 writes it: numbers are texts, hashes are beside."""
    best = max(range(len(z)), key=z.__getitem__)
    acc = float(str(best) == str(target) or options[best] == target) if acc is None else acc
    asked = {
        f"gen_args_{j}": {"arg_0": f"What is {i}?", "arg_1": f" {text}"}
        for j, text in enumerate(options)
    }
    said = [[str(one), "False"] for one in z]
    return {
        "doc_id": i,
        "doc": {"question": f"What is {i}?", "topic": TOPICS[i % 2], "choices": options},
        "target": str(target),
        "arguments": asked,
        "resps": [[one] for one in said],
        "filtered_resps": said,
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"{i:x}",
        "prompt_hash": f"{i:x}",
        "target_hash": f"{i:x}",
        "acc": acc,
        **more,
    }


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


LETTERS = [*"ABCD"]
Z4 = [[-1.5, -0.5, -3.0, -2.0], [-0.25, -4.0, -1.0, -2.5], [-2.0, -1.0, -0.5, -9.0]]


@pytest.mark.parametrize("targets", [(1, 2, 2), ("B", "C", "C"), ("[1]", "[2]", "[2]")])
def test_options_that_all_samples_have_are_classes(tmp_path, targets):
    rows = [
        sample(7 + i, target, z, LETTERS, acc=float(i != 1))
        for i, (target, z) in enumerate(zip(targets, Z4, strict=True))
    ]
    path = written(tmp_path / "samples.jsonl", rows)
    assert holds_predictions(path)
    saved = read_predictions(path, ColumnNames(by=["doc.topic"]))
    assert saved.classes == (*LETTERS,)
    assert saved.predictions.labels.tolist() == [1, 2, 2]
    assert saved.predictions.ids.tolist() == [7, 8, 9]
    expected = torch.tensor(Z4, dtype=torch.float64).softmax(1)
    assert torch.allclose(saved.predictions.log_probabilities.exp(), expected, atol=1e-6)
    assert saved.by["doc.topic"].to_pylist() == ["law", "sums", "law"]
    assert "doc.question" in saved.unused
    assert not [name for name in saved.unused if "hash" in name or "resps" in name]


def test_questions_may_have_options_of_their_own_and_fewer(tmp_path):
    rows = [
        sample(0, 1, Z4[0], ["1", "3", "5", "7"]),
        sample(1, 2, Z4[1][:3], ["2", "4", "6"]),
    ]
    saved = read_predictions(written(tmp_path / "samples.jsonl", rows))
    assert saved.classes == ("0", "1", "2", "3")
    assert saved.predictions.labels.tolist() == [1, 2]
    assert saved.predictions.impossible
    p = saved.predictions.log_probabilities.exp()
    assert p[1, 3] == 0
    assert torch.allclose(p[1, :3], torch.tensor(Z4[1][:3]).double().softmax(0), atol=1e-6)


def test_acc_says_whether_a_target_is_a_number_or_a_text(tmp_path):
    options = ["1", "2", "0"]
    z = [-0.5, -1.0, -2.0]
    for acc, label in ((1.0, 0), (0.0, 2)):  # the text "0" is that of option 2
        rows = [sample(0, "0", z, options, acc=acc), sample(1, "0", z, options, acc=acc)]
        saved = read_predictions(written(tmp_path / "samples.jsonl", rows))
        assert saved.classes == ("1", "2", "0")
        assert saved.predictions.labels.tolist() == [label, label]
    del rows[0]["acc"], rows[1]["acc"]
    with pytest.raises(ArcalError, match="targets may be numbers or texts of options, and no acc"):
        read_predictions(written(tmp_path / "samples.jsonl", rows))


def test_tasks_in_one_file_are_told_apart_by_their_hashes(tmp_path):
    rows = [sample(i % 2, 1, z, LETTERS, doc_hash=f"q{i}") for i, z in enumerate([*Z4, Z4[0]])]
    saved = read_predictions(written(tmp_path / "samples.jsonl", rows))
    assert saved.names == ("q0", "q1", "q2", "q3")
    twice = written(tmp_path / "twice.jsonl", rows + rows)
    with pytest.raises(ArcalError, match="id 'q0' occurs twice"):
        read_predictions(twice)


def test_options_of_an_earlier_harness_are_in_lists(tmp_path):
    rows = [
        sample(i, "B", z, LETTERS, arguments=[[f"What is {i}?", f" {one}"] for one in LETTERS])
        for i, z in enumerate(Z4)
    ]
    saved = read_predictions(written(tmp_path / "samples.jsonl", rows))
    assert saved.classes == (*LETTERS,)
    assert saved.predictions.labels.tolist() == [1, 1, 1]


def test_of_two_options_of_one_text_acc_tells_which_is_right(tmp_path):
    """As Winogrande has them: the options are in the questions, and the target is what follows."""
    alike = ["was late.", "was late."]
    rows = [
        sample(i, "was late.", z, alike, acc=acc)
        for i, (z, acc) in enumerate(
            [([-1.0, -2.0], 1.0), ([-1.0, -2.0], 0.0), ([-3.0, -2.0], 1.0)]
        )
    ]
    saved = read_predictions(written(tmp_path / "samples.jsonl", rows))
    assert saved.classes == ("0", "1")
    assert saved.predictions.labels.tolist() == [0, 1, 1]
    assert saved.predictions.correct.tolist() == [True, False, True]
    numbered = [row | {"target": "0"} for row in rows]
    with pytest.raises(ArcalError, match="acc of row 1 does not agree with its target"):
        read_predictions(written(tmp_path / "numbered.jsonl", numbered))
    del rows[1]["acc"]
    with pytest.raises(
        ArcalError, match=r"the target of row 1 \(was late.\) is neither the number"
    ):
        read_predictions(written(tmp_path / "samples.jsonl", rows))


def changed(**more):
    rows = [sample(i, 1, z, LETTERS) for i, z in enumerate(Z4)]
    rows[1] |= more
    return rows


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (changed(acc=1.0), "acc of row 1 does not agree with its target"),
        (changed(acc=0.43), "acc of row 1 does not agree with its target"),
        (
            [*changed(acc=0.0), {"id": 3, "label": "A"}],
            "row 3 is not a sample like row 0: keep",
        ),
        (changed(target="a\nb " * 50), r"the target of row 1 \(a b [ab ]{,60}\) is neither"),
        (changed(target="E"), r"the target of row 1 \(E\) is neither the number nor the text"),
        (changed(target="[0, 1]"), r"the target of row 1 \(\[0, 1\]\) is neither"),
        (changed(target="4"), r"the target of row 1 \(4\) is neither"),
        (changed(filtered_resps=["B"]), "filtered_resps of row 1 are not the log-likelihoods"),
        (changed(filtered_resps=[["-1.0", "False"]]), "filtered_resps of row 1 are not"),
    ],
)
def test_what_is_no_multiple_choice_is_one_line(tmp_path, rows, says):
    path = written(tmp_path / "samples.jsonl", rows)
    with pytest.raises(ArcalError, match=says) as error:
        read_predictions(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_choice: {choices}
doc_to_target: {target}
metric_list: [{{metric: acc}}, {{metric: acc_norm}}{more}]
"""
TASKS = {
    "by_number": ('"{{choices}}"', "answer", ""),
    "by_letter": ('["A", "B", "C", "D"]', "letter", ""),
    "without_question": ('"{{choices}}"', "answer", ", {metric: acc_mutual_info}"),
}


@pytest.mark.slow
def test_accuracies_are_those_of_the_harness_itself(tmp_path, monkeypatch):
    pytest.importorskip("lm_eval", reason="lm-eval is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    data = written(
        tmp_path / "sums.jsonl",
        [
            {
                "question": f"What is {i} + {i}?",
                "choices": [str(2 * i + d - i % 4) for d in range(4)],
                "answer": i % 4,
                "letter": "ABCD"[i % 4],
            }
            for i in range(60)
        ],
    )
    (tmp_path / "tasks").mkdir()
    for name, (choices, target, more) in TASKS.items():
        text = TASK.format(name=name, data=data, choices=choices, target=target, more=more)
        (tmp_path / "tasks" / f"{name}.yaml").write_text(text)
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "dummy", "--log_samples"]
    command += ["--tasks", *TASKS, "--include_path", str(tmp_path / "tasks")]
    subprocess.run([*command, "--output_path", str(tmp_path / "out")], check=True, cwd=tmp_path)
    (results,) = (tmp_path / "out").rglob("results_*.json")
    theirs = json.loads(results.read_text())["results"]
    for name in TASKS:
        (path,) = Path(results.parent).glob(f"samples_{name}_*.jsonl")
        saved = read_predictions(path)
        accuracy = saved.predictions.correct.double().mean().item()
        assert math.isclose(accuracy, theirs[name]["acc,none"])
        assert len(saved.predictions.ids) == 60
        assert saved.predictions.classes == 4
