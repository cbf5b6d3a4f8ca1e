"""Networks of timm's: logits are held against timm's own loading and its own transforms."""

from typing import Any

import pytest
import torch
from resizing import picture, preprocessed
from safetensors.torch import save_file

from arcal.auditing import check_model
from arcal.classifiers import open_classifier
from arcal.errors import ArcalError

timm: Any = pytest.importorskip("timm", reason="timm is not installed: make test-all installs it")

SMALL = ["resnet10t.c3_in1k", "vit_tiny_patch16_224", "test_efficientnet", "test_vit3"]


def written(network, folder):
    """A file of a network's weights."""
    save_file(network.state_dict(), folder / "weights.safetensors")
    return folder / "weights.safetensors"


def made(name, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = timm.create_model(name, **options).eval()
        for parameter in network.parameters():  # heads may begin with zeros
            torch.nn.init.normal_(parameter, std=0.05)
    return network


@pytest.mark.parametrize("name", SMALL)
def test_logits_are_those_of_timms_own_pipeline(name, tmp_path):
    network = made(name, num_classes=7)
    opened = open_classifier(f"timm:{name}", weights=written(network, tmp_path))
    config = timm.data.resolve_model_data_config(network)
    transform = timm.data.create_transform(**config, is_training=False)
    assert opened.input_shape == config["input_size"]
    assert (opened.classes, opened.kind) == (7, "images")
    for width, height in ((400, 300), (300, 411)):
        image = picture(width, height)
        assert opened.preprocessing is not None
        x = preprocessed(image, opened.preprocessing)[None]
        with torch.no_grad():
            torch.testing.assert_close(
                opened.model(x), network(transform(image)[None]), rtol=1e-5, atol=1e-5
            )
    check_model(opened.model, torch.rand(3, *config["input_size"]), classes=7)


def test_grey_images_and_a_mean_of_three_channels(tmp_path):
    """timm itself says nothing of how such inputs are normalised, so the user must."""
    network = made("test_resnet", num_classes=3, in_chans=1)
    weights = written(network, tmp_path)
    with pytest.raises(ArcalError, match=r"of 1 channels, and the normalisation .* is of 3: give"):
        open_classifier("timm:test_resnet", weights=weights)
    opened = open_classifier("timm:test_resnet", weights=weights, normalize=(0.5, 0.2))
    x = torch.rand(2, 1, 160, 160)
    torch.testing.assert_close(opened.model(x), network((x - 0.5) / 0.2), rtol=1e-5, atol=1e-5)


def test_a_transformer_of_another_size_is_one_line(tmp_path):
    weights = written(made("test_vit3", num_classes=3, img_size=(96, 96)), tmp_path)
    with pytest.raises(ArcalError, match="does not fit timm:test_vit3: pos_embed is"):
        open_classifier("timm:test_vit3", weights=weights)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet81", "timm has no network resnet81: did you mean resnet18"),
        ("resnet18.a1_in2k", "no configuration resnet18.a1_in2k: did you mean resnet18.a1_in1k"),
        ("resnet18", "needs a file of weights: nothing is downloaded, and random weights say noth"),
    ],
)
def test_what_cannot_be_opened_is_one_line(name, says):
    with pytest.raises(ArcalError, match=says) as caught:
        open_classifier(f"timm:{name}")
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_or_without_a_head_are_one_line(tmp_path):
    network = made("test_resnet", num_classes=3)
    with pytest.raises(ArcalError, match=r"does not fit timm:test_vit3: it lacks head.weight"):
        open_classifier("timm:test_vit3", weights=written(network, tmp_path))
    headless = made("test_resnet", num_classes=0)
    with pytest.raises(ArcalError, match=r"lacks fc.weight, from which the number of classes is"):
        open_classifier("timm:test_resnet", weights=written(headless, tmp_path))
