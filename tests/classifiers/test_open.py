"""What a name stands for, where nothing of it can be opened."""

import subprocess
import sys

import pytest
import torch

from arcal.classifiers import open_classifier
from arcal.errors import ArcalError


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            "resnet18",
            "resnet18 is not a classifier: give package.module:name, file.py:name, timm:N",
        ),
        ("", "is not a classifier"),
        ("w.safetensors", "is only weights: say which network they belong to, as timm:NAME"),
        ("folder/w.pt", r"or file.py:name, with weights folder/w.pt"),
        ("tim:resnet18", r"there is no module tim: did you mean timm\?"),
        ("torchvison:resnet18", r"did you mean torchvision\?"),
        ("net.h5", "is not a classifier"),
        (r"C:\nets\run", "is not a classifier"),
        ("predictions.npz", "is not a classifier"),
    ],
)
def test_what_is_no_classifier_is_one_line(spec, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArcalError, match=says) as caught:
        open_classifier(spec)
    assert "\n" not in str(caught.value)


def test_a_whole_network_is_not_called_weights(tmp_path):
    torch.save(torch.nn.Sequential(torch.nn.Linear(3, 2)), tmp_path / "net.pth")
    with pytest.raises(ArcalError, match="holds more than tensors"):
        open_classifier(str(tmp_path / "net.pth"))


def test_a_folder_of_transformers_is_sent_to_its_door(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(ArcalError, match=f"write hf:{tmp_path}"):
        open_classifier(str(tmp_path))


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_a_library_that_is_missing_is_one_line(library, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / "config.json").write_text('{"model_type": "vit", "architectures": ["ViT"]}')
    spec = "timm:resnet18" if library == "timm" else f"hf:{tmp_path}"
    with pytest.raises(ArcalError) as caught:
        open_classifier(spec)
    says = f"{spec} needs {library}, which is not installed: pip install {library}"
    assert str(caught.value) == says


def test_libraries_that_take_seconds_are_imported_when_they_are_used():
    heavy = {"timm", "transformers", "torchvision", "lightning_fabric", "sklearn", "pandas"}
    heavy |= {"matplotlib", "scipy.stats", "scipy.optimize", "scipy.interpolate", "scipy.ndimage"}
    rooms = "arcal.audits, arcal.classifiers, arcal.cli, arcal.training"
    code = f"import sys, {rooms}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
