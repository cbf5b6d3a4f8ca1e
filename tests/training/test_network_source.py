"""Networks that somebody else wrote: told of the data, drawn by the seed, checked before use."""

import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from arcal.errors import ArcalError
from arcal.training.network_source import NetworkSource

SHAPE = (3, 32, 32)
CODE = """
from torch import nn
from torchvision import models


def make(classes, shape, in_chans, width=4):
    assert in_chans == shape[0]
    return nn.Sequential(nn.Conv2d(in_chans, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(width, classes))


class Net(nn.Sequential):
    def __init__(self, num_classes=1000):
        super().__init__(nn.Flatten(), nn.Linear(3072, num_classes))


def wide(classes, channels=64):
    return nn.Sequential(nn.Conv2d(3, channels, 32), nn.Flatten(), nn.Linear(channels, classes))


def of_channels(classes, channels=1):
    return nn.Sequential(nn.Conv2d(channels, 5, 32), nn.Flatten(), nn.Linear(5, classes))


instance = Net()


def lazy(classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))


def no_module(classes):
    return classes


def of_another_size(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(100, classes))


def of_two_classes():
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))


def which_needs_more(classes, depth):
    return None


def broken(classes):
    raise ValueError("no good")
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "nets_of_mine.py"
    path.write_text(CODE)
    yield path
    sys.modules.pop("nets_of_mine", None)


def build(spec, **options):
    return NetworkSource(spec, **options).build(classes=10, shape=SHAPE, seed=3)


def test_channels_are_the_images_unless_their_default_is_a_width(file):
    wide, told = (next(build(f"{file}:{name}").parameters()) for name in ("wide", "of_channels"))
    assert wide.shape == (64, 3, 32, 32)
    assert told.shape == (5, 3, 32, 32)


@pytest.mark.parametrize("name", ["make", "Net", "wide", "of_channels"])
def test_functions_and_classes_are_told_of_the_data(file, name):
    network = build(f"{file}:{name}")
    assert network(torch.zeros(5, *SHAPE)).shape == (5, 10)
    assert network.training


def test_a_seed_gives_the_same_bits_and_leaves_the_global_generator(file):
    before = torch.random.get_rng_state()
    one, same = build(f"{file}:make").state_dict(), build(f"{file}:make").state_dict()
    other = NetworkSource(f"{file}:make").build(classes=10, shape=SHAPE, seed=4).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["3.weight"], other["3.weight"])


def test_a_lazy_layer_is_drawn_by_the_seed_and_not_by_what_ran_before(file):
    before = torch.random.get_rng_state()
    one = build(f"{file}:lazy").state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(build(f"{file}:lazy").state_dict()["1.weight"], one["1.weight"])


@pytest.mark.parametrize("classes", [10, 7])
def test_a_lazy_layer_starts_from_weights(file, tmp_path, classes):
    started = build(f"{file}:lazy").state_dict()
    save_file(started, tmp_path / "w.safetensors")
    source = NetworkSource(f"{file}:lazy", str(tmp_path / "w.safetensors"))
    state = source.build(classes=classes, shape=SHAPE, seed=4).state_dict()
    assert torch.equal(state["1.weight"], started["1.weight"]) is (classes == 10)
    assert state["1.weight"].shape == (classes, 3072)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("instance", "name a function or class"),
        ("no_module", "returns int"),
        ("of_another_size", "fails on images of 3 x 32 x 32"),
        ("of_two_classes", "must return logits of shape (2, 10)"),
        ("which_needs_more", "needs depth"),
        ("broken", "ValueError: no good"),
        ("mak", "did you mean make"),
    ],
)
def test_what_cannot_be_trained_is_told_in_one_line(file, name, words):
    with pytest.raises(ArcalError) as caught:
        build(f"{file}:{name}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_digest_is_that_of_the_code(file):
    source = NetworkSource(f"{file}:make")
    before = source.digest()
    assert NetworkSource(f"{file}:Net").digest() == before
    file.write_text(CODE + "\n# changed")
    assert source.digest() != before


def test_the_digest_has_what_the_file_imports_from_beside_it(tmp_path):
    (tmp_path / "mine.py").write_text("import torch\nfrom layers import net")
    (tmp_path / "layers.py").write_text("net = 1")
    (tmp_path / "other.py").write_text("net = 1")
    source = NetworkSource(f"{tmp_path / 'mine.py'}:net")
    before = source.digest()
    (tmp_path / "other.py").write_text("net = 2")
    assert source.digest() == before
    (tmp_path / "layers.py").write_text("net = 2")
    assert source.digest() != before


def test_torchvisions_networks_normalise_and_start_from_weights(tmp_path):
    theirs = models.get_model("shufflenet_v2_x0_5", weights=None, num_classes=7)
    save_file(theirs.state_dict(), tmp_path / "seven.safetensors")
    weights = str(tmp_path / "seven.safetensors")
    network = build("torchvision:shufflenet_v2_x0_5", weights=weights)
    state = network.get_submodule("network").state_dict()
    assert torch.equal(state["conv1.0.weight"], theirs.state_dict()["conv1.0.weight"])
    assert state["fc.weight"].shape == (10, 1024)  # its own: drawn anew
    exact = NetworkSource("torchvision:shufflenet_v2_x0_5", weights)
    assert exact.layer_drawn_anew(classes=10, shape=SHAPE) == "fc"
    assert exact.layer_drawn_anew(classes=7, shape=SHAPE) is None
    assert NetworkSource(exact.spec).layer_drawn_anew(classes=10, shape=SHAPE) is None
    same = exact.build(classes=7, shape=SHAPE, seed=0).eval()
    x = torch.rand(2, *SHAPE)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalized = (x - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(same(x), theirs.eval()(normalized))


def test_weights_of_another_network_are_refused(tmp_path, file):
    save_file(nn.Linear(3, 2).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(ArcalError, match="does not fit"):
        build(f"{file}:make", weights=str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        ("torchvision:resnet81", SHAPE, "did you mean resnet18"),
        ("torchvision:resnet18", (1, 32, 32), "3 channels"),
    ],
)
def test_torchvisions_names_and_channels(spec, shape, words):
    with pytest.raises(ArcalError, match=words):
        NetworkSource(spec).build(classes=2, shape=shape, seed=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_timms_networks_take_any_number_of_channels_and_classes(channels):
    timm = pytest.importorskip(
        "timm", reason="timm is not installed: make test-all installs it", exc_type=ImportError
    )
    source = NetworkSource("timm:resnet10t")
    network = source.build(classes=5, shape=(channels, 32, 32), seed=0).eval()
    x = torch.rand(2, channels, 32, 32)
    inner = timm.create_model("resnet10t", num_classes=5, in_chans=channels).eval()
    inner.load_state_dict(network.get_submodule("network").state_dict())
    config = timm.get_pretrained_cfg("resnet10t")
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (config.mean, config.std))
    if channels == 1:
        mean, std = mean.mean(), std.mean()
    torch.testing.assert_close(network(x), inner((x - mean) / std))
