"""Networks of torchvision's: logits are held against its own transforms and networks."""

import pytest
import torch
from resizing import picture, preprocessed, to_tensor
from torchvision import models

from arcal.auditing import check_model
from arcal.classifiers import open_classifier
from arcal.errors import ArcalError


def written(network, folder, **others):
    torch.save({"model": network.state_dict(), **others}, folder / "weights.pth")
    return folder / "weights.pth"


def made(name, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.get_model(name, weights=None, **options).eval()


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_logits_are_those_of_torchvisions_own_pipeline(name, tmp_path):
    network = made(name, num_classes=7)
    opened = open_classifier(f"torchvision:{name}", weights=written(network, tmp_path))
    transform = models.get_model_weights(name).DEFAULT.transforms()  # pyright: ignore
    assert (opened.classes, opened.class_names, opened.kind) == (7, None, "images")
    assert opened.preprocessing is not None
    for width, height in ((400, 300), (300, 411)):
        image = picture(width, height)
        x = preprocessed(image, opened.preprocessing)[None]
        with torch.no_grad():
            expected = network(transform(image)[None])
            torch.testing.assert_close(opened.model(x), expected, rtol=1e-5, atol=1e-5)


def test_a_network_of_small_images_takes_them_as_they_are(tmp_path):
    network, x = made("resnet18", num_classes=10), torch.rand(8, 3, 32, 32)
    opened = open_classifier(
        "torchvision:resnet18",
        weights=written(network, tmp_path),
        normalize="cifar",
    )
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
    std = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(opened.model(x), network((x - mean) / std), rtol=1e-5, atol=1e-5)
    check_model(opened.model, x, classes=10)


@pytest.mark.parametrize("auxiliary", [True, False])
def test_the_inside_normalisation_of_googlenet(auxiliary, tmp_path):
    """Its pretrained form undoes the transforms' normalisation and maps to [-1, 1]."""
    options = {"transform_input": True, "init_weights": False, "num_classes": 4}
    network = made("googlenet", aux_logits=auxiliary, **options)
    opened = open_classifier("torchvision:googlenet", weights=written(network, tmp_path))
    transform = models.GoogLeNet_Weights.DEFAULT.transforms()
    image = picture(256, 256)
    x = to_tensor(image.crop((16, 16, 240, 240)))[None]
    with torch.no_grad():
        torch.testing.assert_close(
            opened.model(x), network(transform(image)[None]), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet81", "torchvision has no classifier resnet81: did you mean resnet18"),
        ("fcn_resnet50", "torchvision has no classifier fcn_resnet50"),
        ("resnet18", "needs a file of weights"),
    ],
)
def test_what_cannot_be_opened_is_one_line(name, says):
    with pytest.raises(ArcalError, match=says):
        open_classifier(f"torchvision:{name}")


def test_weights_of_another_network_are_one_line(tmp_path):
    weights = written(made("resnet18", num_classes=3), tmp_path)
    with pytest.raises(ArcalError, match=r"does not fit torchvision:resnet34: it lacks layer1.2"):
        open_classifier("torchvision:resnet34", weights=weights)
    torch.save({"features.weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(ArcalError, match=r"has no last layer, such as fc.weight"):
        open_classifier("torchvision:resnet18", weights=tmp_path / "other.pth")
