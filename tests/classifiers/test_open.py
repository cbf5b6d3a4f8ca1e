"""What a name stands for, where nothing of it can be opened."""

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
