"""`arcal calibrate` at the command line: files in, files out, and one line for bad input."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from arcal.calibration.posthoc import Temperature
from arcal.classifiers import open_classifier
from arcal.data import load_part
from arcal.store import load_calibrator
from tests.test_cli import arcal, succeeds

NETWORK = """
import torch
from torch import nn

def network():
    layer = nn.Linear(784, 10)
    layer.load_state_dict(torch.load("means.pt", weights_only=True))
    return nn.Sequential(nn.Flatten(), layer).eval()

def plain(x):
    return x.flatten(1)[:, :10]

class Stubborn(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = network()

    def forward(self, x):
        return self.inner(x) if x.sum().item() > -1 else self.inner(-x)
"""


@pytest.fixture(scope="module")
def images():
    return load_part("fashion", part="test")


@pytest.fixture(scope="module")
def nearest(images):
    """The nearest mean of a class, too sure by far."""
    some = torch.arange(1000)
    x, labels = images.images(some).flatten(1) / 255, images.labels[some]
    means = torch.stack([x[labels == z].mean(0) for z in range(10)])
    return {"weight": means, "bias": -means.square().sum(1) / 2}


@pytest.fixture
def here(tmp_path, monkeypatch, nearest):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK)
    torch.save(nearest, "means.pt")
    return tmp_path


def drawn(N: int = 400, T: float = 2.5) -> tuple[np.ndarray, np.ndarray]:
    generator = torch.Generator().manual_seed(0)
    z = 4 * torch.randn(N, 3, generator=generator, dtype=torch.float64)
    labels = (z / T).softmax(1).multinomial(1, generator=generator)[:, 0]
    return z.numpy(), labels.numpy()


USUAL = ("--calibrators", "temperature", "ets", "vector")
SOME = ("fashion", "--limit", "100")


def test_a_file_of_logits_gives_a_calibrator_and_its_figures(here):
    z, labels = drawn(3000)
    np.savez("mine.npz", logits=z, labels=labels)
    done = succeeds("calibrate", "mine.npz", *USUAL)
    assert "picked: temperature" in done.stdout
    assert "uncalibrated" in done.stdout
    figures = json.loads(Path("calibrated/calibration.json").read_text())
    assert figures["picked"] == "temperature"
    assert [one["name"] for one in figures["calibrators"]] == ["temperature", "ets", "vector"]
    before, after = figures["before"], figures["calibrators"][0]
    assert after["nll"]["value"] < before["nll"]["value"]
    assert after["change"]["high"] < 0
    assert after["accuracy"] == before["accuracy"]
    thresholds = figures["acting"]["thresholds"]
    assert [one["accuracy"] for one in thresholds] == [0.9, 0.95, 0.99, 0.999]
    assert thresholds[0]["coverage"] > 0.1
    said = re.search(r"calibrated: right on at least 90 % where it is (\S+) % c", done.stdout)
    assert said
    assert 0 <= float(said[1]) - 100 * thresholds[0]["confidence"] < 0.1, "rounded up"
    calibrator = load_calibrator("calibrated/calibrator.safetensors")
    assert isinstance(calibrator, Temperature)
    assert calibrator.T.item() == pytest.approx(2.5, abs=0.5)
    again = succeeds("calibrate", "mine.npz", *USUAL, "--json", "--out", "again")
    assert json.loads(again.stdout)["picked"] == "temperature"


def test_a_rounded_csv_is_said_and_calibrated(here):
    z, labels = drawn()
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    rows = [f"{y},{','.join(f'{v:.2f}' for v in row)}" for y, row in zip(labels, p, strict=True)]
    head = "label,probabilities_0,probabilities_1,probabilities_2\n"
    Path("mine.csv").write_text(head + "\n".join(rows) + "\n")
    done = succeeds("calibrate", "mine.csv", *USUAL, "ebs")
    assert "rows do not sum to 1" in done.stderr
    assert "probabilities are 0, probably rounded" in done.stderr
    assert "picked: " in done.stdout
    assert "ebs is left out: it needs logits" in " ".join(done.stdout.split())
    Path("off.csv").write_text(head + "\n".join([*rows, "0,0.5,0.5,0.2"]) + "\n")
    assert "the probabilities do not sum to 1 in row 400" in arcal("calibrate", "off.csv").line


def test_a_model_is_written_with_its_calibrator_inside(here, images):
    options = ("--limit", "300", *USUAL, "--export", "pt2,safetensors", "--out", "exported")
    done = succeeds("calibrate", "net.py:network", "fashion", *options)
    figures = json.loads(Path("exported/calibration.json").read_text())
    assert figures["inputs"] == 300
    assert figures["facts"]["Network"].startswith("Sequential of net.py:network")
    assert "picked: " in done.stdout
    assert not Path("exported/.work").exists()
    assert Path("exported/calibrated.pt2").exists()
    assert Path("exported/calibrated.safetensors").exists()
    plain, mended = (open_classifier(s) for s in ("net.py:network", "exported/calibrated.pt2"))
    assert mended.class_names == images.classes
    calibrator, x = load_calibrator("exported/calibrator.safetensors"), torch.rand(5, 1, 28, 28)
    with torch.no_grad():
        expected = calibrator(plain.model(x).double().log_softmax(1)).exp()
        torch.testing.assert_close(mended.model(x).double().exp(), expected, rtol=0, atol=1e-6)
    again = ("--limit", "40", "--order", "margin", "--out", "scores.parquet")
    succeeds("score", "exported/calibrated.pt2", "fashion", *again)


@pytest.mark.slow
def test_perturbed_images_and_mirror_images(here):
    some = ("fashion", "--limit", "60", "--calibrators", "temperature", "--json")
    inputs = {}
    for name, flags in {
        "plain": (),
        "perturbed": ("--perturb", "extra"),
        "mirrored": ("--views", "mirror"),
    }.items():
        done = succeeds("calibrate", "net.py:network", *some, *flags, "--out", name)
        inputs[name] = json.loads(done.stdout)["before"]["nll"]["value"]
    assert len(set(inputs.values())) == 3
    facts = {
        name: json.loads(Path(f"{name}/calibration.json").read_text())["facts"] for name in inputs
    }
    assert facts["mirrored"].pop("Views").endswith("compare with the command without --views")
    assert facts["perturbed"].pop("Perturbed") == "every figure is for the perturbed images"
    assert facts["mirrored"] == facts["perturbed"] == facts["plain"]


def test_weights_count_alike_in_data_and_in_predictions(here):
    z, labels = drawn(400)
    much = 1 + 4 * (labels == 0)
    header, *rows = (
        "a,b,c,label,much",
        *(",".join(map(str, [*row, y, w])) for row, y, w in zip(z, labels, much, strict=True)),
    )
    Path("rows.csv").write_text("\n".join([header, *rows]))
    Path("same.py").write_text("def logits(x): return 1.0 * x\n")
    Path("p.csv").write_text("\n".join(["logits_0,logits_1,logits_2,label,much", *rows]))
    some = ("--calibrators", "temperature", "--weight", "much")
    said = "inputs count by their weights, the column much, in the fits and in the figures"
    found = []
    for what in (("same.py:logits", "rows.csv"), ("p.csv",)):
        done = succeeds("calibrate", *what, *some)
        assert said in " ".join(done.stdout.split())
        found.append(json.loads(Path("calibrated/calibration.json").read_text()))
        assert found[-1]["facts"]["Weights of inputs"] == said
    weighted = [one["before"]["accuracy"]["value"] for one in found]
    right = z.argmax(1) == labels
    assert weighted == pytest.approx([np.average(right, weights=much)] * 2)
    losses = [one["calibrators"][0]["nll"]["value"] for one in found]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_unlabelled_predictions_are_said_how_right_they_are(here):
    z, labels = drawn(2000)
    np.savez("mine.npz", logits=z, labels=labels)
    np.savez("today.npz", logits=0.7 * z)
    done = succeeds("calibrate", "mine.npz", *USUAL, "--unlabelled", "today.npz")
    words = " ".join(done.stdout.split())
    assert "the 2,000 unlabelled inputs: the model is right on about" in words
    today = json.loads(Path("calibrated/calibration.json").read_text())["unlabelled"]
    right = (z.argmax(1) == labels).mean()
    assert today["low"] < today["accuracy"] < today["high"] < right
    calibrator = load_calibrator("calibrated/unlabelled.safetensors")
    assert isinstance(calibrator, Temperature)
    assert calibrator.T.item() == today["T"]
    vector = ("--calibrators", "vector", "--unlabelled", "today.npz")
    np.savez("skewed.npz", logits=z + np.array([0, 0, 1.5]), labels=labels)
    words = " ".join(succeeds("calibrate", "skewed.npz", *vector).stdout.split())
    assert "unlabelled inputs: the model, without vector, is right on about" in words
    np.savez("other.npz", logits=0.02 * z)
    done = succeeds("calibrate", "mine.npz", *USUAL, "--unlabelled", "other.npz")
    assert "other classes altogether" in " ".join(done.stdout.split())
    np.savez("two.npz", logits=z[:, :2])
    line = arcal("calibrate", "mine.npz", *USUAL, "--unlabelled", "two.npz").line
    assert "two.npz has 2 classes and mine.npz 3" in line
    assert "no.npz is missing" in arcal("calibrate", "mine.npz", "--unlabelled", "no.npz").line


def test_unlabelled_images_go_through_the_model(here, images):
    pixels = images.images(torch.arange(60)).numpy()
    np.savez("photos.npz", images=255 - pixels, labels=np.zeros(60, dtype=int))
    some = ("fashion", "--limit", "200", "--calibrators", "temperature", "--json")
    done = succeeds("calibrate", "net.py:network", *some, "--unlabelled", "photos.npz")
    today = json.loads(done.stdout)["unlabelled"]
    assert today["n"] == 60
    assert 0 <= today["accuracy"] <= 1
    several = ("--unlabelled", "photos.npz", "fashion")
    again = arcal("calibrate", "net.py:network", *some, *several)
    assert "--unlabelled fashion is DATA" in again.line


ROWS = """
import torch
from torch import nn

def network():
    layer = nn.Linear(3, 2)
    layer.weight.data, layer.bias.data = torch.tensor([[0.0, 0, 0], [3, -1, 0]]), torch.zeros(2)
    return layer
"""


def test_unlabelled_rows_need_no_label_and_their_columns_go_by_name(here):
    Path("rows.py").write_text(ROWS)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 3)).round(3)
    labels = generator.random(400) < 1 / (1 + np.exp(x[:, 1] - x[:, 0]))

    def write(name: str, columns: dict[str, np.ndarray]) -> None:
        rows = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
        Path(name).write_text("\n".join(lines))

    a, b, c = x.T
    write("labelled.csv", {"a": a, "b": b, "c": c, "fraud": labels.astype(int)})
    write("same.csv", {"a": a, "b": b, "c": c})
    write("permuted.csv", {"c": c, "b": b, "fraud": np.full(400, ""), "a": a})
    write("fewer.csv", {"a": a, "b": b})
    some = ("rows.py:network", "labelled.csv", "--label", "fraud", "--calibrators", "temperature")
    same, permuted = (
        json.loads(succeeds("calibrate", *some, "--json", "--unlabelled", name).stdout)
        for name in ("same.csv", "permuted.csv")
    )
    assert same == permuted
    assert same["unlabelled"]["n"] == 400
    assert abs(same["unlabelled"]["accuracy"] - same["before"]["accuracy"]["value"]) < 0.05
    line = arcal("calibrate", *some, "--unlabelled", "fewer.csv").line
    assert "fewer.csv has no column c" in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["net.py:network"], "net.py:network alone is not enough"),
        (["mine.npz", "--calibrators", "magic"], "calibrator 'magic' is unknown"),
        (["mine.npz", "--export", "pt2"], "--export needs a model"),
        (["a.onnx", "fashion", "--export", "onnx,pt2"], "can only be exported as onnx; leave"),
        (["mine.npz", "--views", "mirror"], "--views is for a model and its data"),
        (["mine.npz", "mine.npz"], "2 files are named: calibrate one at a time"),
        (["few.npz"], "12 inputs are too few to choose a calibrator"),
        (["net.py:plain", *SOME, "--export", "pt2"], "is a function, and --export"),
        (["table.py:net", "table.csv", "--perturb", "extra"], "cannot be corrupted"),
        (
            ["table.py:net", "names.csv", "--apply", "others.npz"],
            "has the classes dog, cow, and table.py:net names.csv cat, dog: give predictions of",
        ),
    ],
)
def test_bad_input_is_one_line(here, arguments, says):
    z, labels = drawn()
    np.savez("mine.npz", logits=z, labels=labels)
    np.savez("few.npz", logits=z[:12], labels=labels[:12])
    Path("a.onnx").write_bytes(b"")
    Path("table.py").write_text("from torch import nn\nnet = nn.Linear(2, 2)\n")
    Path("table.csv").write_text("a,b,label\n" + "0.1,0.2,0\n0.3,0.4,1\n" * 20)
    Path("names.csv").write_text("a,b,label\n" + "0.1,0.2,cat\n0.3,0.4,dog\n" * 20)
    np.savez("others.npz", logits=9 * np.eye(2), classes=["dog", "cow"])
    assert says in arcal("calibrate", *arguments).line
    assert not Path("calibrated").exists(), "no block was run"


def test_only_what_arcal_wrote_is_replaced(here):
    z, labels = drawn()
    np.savez("mine.npz", logits=z, labels=labels)
    Path("calibrated").mkdir()
    for name in ("calibration.json", "calibrator.safetensors", "calibrated.pt2"):
        Path("calibrated", name).write_text("a letter")
        line = arcal("calibrate", "mine.npz", *USUAL).line
        assert f"calibrated/{name} exists, and arcal did not write it" in line
        assert Path("calibrated", name).read_text() == "a letter"
        Path("calibrated", name).unlink()
    succeeds("calibrate", "mine.npz", *USUAL)
    Path("calibrated/calibrated.pt2").write_text("of an earlier calibration")
    succeeds("calibrate", "mine.npz", *USUAL)
    assert not Path("calibrated/calibrated.pt2").exists()


def test_what_cannot_be_exported_keeps_the_calibrator(here):
    some = ("fashion", "--limit", "200", "--calibrators", "temperature", "--export", "pt2")
    done = arcal("calibrate", "net.py:Stubborn", *some)
    assert done.code == 2
    assert "cannot be exported by torch.export" in done.stderr
    assert Path("calibrated/calibrator.safetensors").exists()
