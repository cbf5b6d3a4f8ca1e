"""Networks of torchvision's: logits are held against its own transforms and networks."""

import re

import pytest
import torch
from resizing import picture, preprocessed, to_tensor
from torchvision import models

from arcal.auditing import check_model
from arcal.classifiers import open_classifier
from arcal.classifiers._library_networks import HEAD, edition_of
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


def test_the_old_names_in_densenets_files(tmp_path):
    network = made("densenet121", num_classes=3)
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)\.", r"\1.\2.", name): value
        for name, value in network.state_dict().items()
    }
    torch.save(old, tmp_path / "old.pth")
    opened = open_classifier("torchvision:densenet121", weights=tmp_path / "old.pth")
    x = torch.rand(1, 3, 64, 64)
    expected = open_classifier("torchvision:densenet121", weights=written(network, tmp_path))
    assert torch.equal(opened.model(x), expected.model(x))


def test_torchvisions_own_files_are_known_by_their_hash():
    """The beginning of the SHA-256 is in the name under which torchvision offers the file."""
    known = 0
    for name in models.list_models(module=models):
        for edition in models.get_model_weights(name):
            digest = re.search(r"-([0-9a-f]{8})\.pth", edition.url)  # pyright: ignore
            if digest:
                # two editions of one network may be the same file, with other transforms
                other = edition_of(name, digest[1] + 56 * "0")
                assert other.url == edition.url  # pyright: ignore
                known += 1
    assert known > 100
    assert edition_of("resnet18", 64 * "0") is None


@pytest.mark.slow
def test_the_head_of_every_network_is_the_layer_of_its_classes():
    for name in models.list_models(module=models):
        slow = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
        context = torch.device("cpu" if name.startswith("regnet") else "meta")
        if name in ("regnet_y_128gf", "regnet_x_32gf", "regnet_y_32gf"):
            continue  # as regnet_y_16gf, but gigabytes
        with context:
            state = models.get_model(name, weights=None, num_classes=7, **slow).state_dict()
        heads = [key for key in state if HEAD.fullmatch(key)]
        last = max(heads, key=lambda key: int(re.sub(r"\D", "", key) or 0))
        assert state[last].shape[0] == 7, name


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
