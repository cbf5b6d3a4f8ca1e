"""A calibrated classifier in files: the same probabilities, and readable as MODEL."""

from importlib.util import find_spec

import pytest
import torch
from torch import nn

from arcal.attacks.any_model import Classifier
from arcal.calibration.posthoc import (
    POSTHOC,
    Calibrated,
    Calibrator,
    Mirrored,
    Temperature,
    from_state,
)
from arcal.classifiers import check_formats, export_calibrated, open_classifier
from arcal.classifiers._exporting import run_onnx
from arcal.errors import ArcalError
from arcal.networks import Normalize, build
from arcal.store import load_tensors


def fitted(kind: str) -> Calibrator:
    generator = torch.Generator().manual_seed(0)
    z = 4 * torch.randn(600, 5, generator=generator, dtype=torch.float64)
    labels = (z / 2).softmax(1).multinomial(1, generator=generator)[:, 0]
    return POSTHOC[kind](z.log_softmax(1), labels, energy=-z.logsumexp(1))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    return build("small", classes=5, shape=(3, 16, 16), generator=generator).eval()


def images(N: int) -> torch.Tensor:
    return torch.rand(N, 3, 16, 16, generator=torch.Generator().manual_seed(N))


def test_a_pt2_file_is_a_model_again(network, tmp_path):
    classifier = Calibrated(Classifier(Mirrored(network)), fitted("ets")).eval()
    (path,) = export_calibrated(classifier, images(4), tmp_path, ["pt2"])
    opened = open_classifier(str(path))
    assert opened.input_shape == (3, 16, 16)
    for N in (1, 9):
        with torch.no_grad():
            expected = classifier.probabilities(images(N))
            p = opened.model(images(N)).softmax(1)
        assert p.dtype == torch.float32
        torch.testing.assert_close(p.double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float64])
def test_a_program_refuses_inputs_of_another_dtype(dtype, tmp_path):
    """Behind a normalisation uint8 would become floats, of 0 to 255 and not in [0, 1]."""
    network = nn.Sequential(Normalize(torch.zeros(3, 1, 1), torch.ones(3, 1, 1)), nn.Flatten())
    network.append(nn.Linear(3 * 16 * 16, 5))
    classifier = Calibrated(network.eval(), Temperature(2.0))
    (path,) = export_calibrated(classifier, images(4), tmp_path, ["pt2"])
    program = torch.export.load(path).module()
    assert program(images(3)).shape == (3, 5)
    with pytest.raises(RuntimeError, match="dtype mismatch! Expected: Float"):
        program((255 * images(3)).to(dtype))


NAMES = ("owl", "cat", "emu", "ape", "dog")


def test_programs_keep_the_names_of_the_classes(network, tmp_path):
    classifier = Calibrated(network, Temperature(2.0))
    formats = ["pt2"]
    if all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        formats.append("onnx")
    more = {"class_names": NAMES, "calibrated_on": "0123456789abcdef"}
    for path in export_calibrated(classifier, images(4), tmp_path, formats, **more):
        opened = open_classifier(str(path))
        assert opened.class_names == NAMES
        assert opened.calibrated_on == "0123456789abcdef"
        assert opened.model(images(2)).shape == (2, 5)
    with pytest.raises(ArcalError, match="2 class names for 5 classes"):
        export_calibrated(classifier, images(4), tmp_path, ["pt2"], class_names=NAMES[:2])


def test_a_pt2_file_is_calibrated_again(network, tmp_path):
    (path,) = export_calibrated(Calibrated(network, Temperature(2.0)), images(4), tmp_path, ["pt2"])
    opened = open_classifier(str(path)).model
    assert isinstance(opened, nn.Module)
    again = Calibrated(opened, Temperature(1.5))
    (twice,) = export_calibrated(again, images(4), tmp_path / "again", ["pt2"])
    p = open_classifier(str(twice)).model(images(3)).double().softmax(1)
    torch.testing.assert_close(p, (network(images(3)).double() / 3).softmax(1), rtol=0, atol=1e-6)


class Normalised(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network((x - torch.tensor(0.5)) / torch.tensor([0.2, 0.3, 0.2]).view(3, 1, 1))


@pytest.mark.parametrize("sizes", [({0: torch.export.Dim("N")},), None])
def test_a_program_with_constants_and_one_of_a_fixed_size_are_calibrated(
    sizes, network, tmp_path, caplog
):
    exported = torch.export.export(Normalised(network), (images(3),), dynamic_shapes=sizes)
    torch.export.save(exported, tmp_path / "theirs.pt2")
    model = open_classifier(str(tmp_path / "theirs.pt2")).model
    assert isinstance(model, nn.Module)
    classifier = Calibrated(model, Temperature(2.0))
    (path,) = export_calibrated(classifier, images(4), tmp_path, ["pt2"])
    p = open_classifier(str(path)).model(images(5)).double().softmax(1)
    expected = (Normalised(network)(images(5)).double() / 2).softmax(1)
    torch.testing.assert_close(p, expected, rtol=0, atol=1e-6)
    fixed = "takes exactly 4 inputs at a time" in caplog.text
    assert fixed == (sizes is None)


class NumbersAndCategories(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.linear = nn.Embedding(6, 4), nn.Linear(8, 3)

    def forward(self, numbers, category):
        return self.linear(torch.cat([numbers, self.embedding(category)], dim=1))


@pytest.mark.parametrize("form", [tuple, lambda x: {"numbers": x[0], "category": x[1]}])
def test_a_model_of_several_tensors_is_exported_and_takes_them_as_it_was_given_them(form, tmp_path):
    generator = torch.Generator().manual_seed(0)
    numbers = torch.rand(9, 4, generator=generator)
    category = torch.randint(6, (9,), generator=generator)
    whole, four = form((numbers, category)), form((numbers[:4], category[:4]))
    classifier = Calibrated(Classifier(NumbersAndCategories().eval()), Temperature(2.0))
    expected = classifier.probabilities(whole).detach()
    formats = ["pt2", "safetensors"]
    if all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        formats.append("onnx")
    path, _, *onnx = export_calibrated(classifier, four, tmp_path, formats)
    program = torch.export.load(path).module()
    torch.testing.assert_close(program(whole).double().exp(), expected, rtol=0, atol=1e-5)
    with pytest.raises(RuntimeError, match="dtype mismatch! Expected: Float"):
        program(form((numbers.double(), category)))
    for file in onnx:
        p = run_onnx(file, whole).double().exp()
        torch.testing.assert_close(p, expected, rtol=0, atol=1e-5)


def test_safetensors_has_all_weights(network, tmp_path):
    classifier = Calibrated(network, fitted("vector"))
    (path,) = export_calibrated(classifier, images(2), tmp_path, ["safetensors"])
    state, header = load_tensors(path)
    assert header == {"format": "arcal calibrated 1", "kind": "vector"}
    names = {key.removeprefix("calibrator.") for key in state if key.startswith("calibrator.")}
    calibrator = from_state("vector", {name: state[f"calibrator.{name}"] for name in names})
    twin = Calibrated(network, calibrator)
    twin.load_state_dict(state)
    assert torch.equal(twin(images(3)), classifier(images(3)))


def test_the_classifier_is_left_in_its_modes_and_on_its_device(tmp_path):
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout())
    classifier = Calibrated(network, Temperature(2.0)).train()
    network[1].eval()
    modes = [module.training for module in classifier.modules()]
    before = {name: (one, one.data_ptr()) for name, one in classifier.named_parameters()}
    export_calibrated(classifier, torch.rand(2, 4), tmp_path, ["safetensors"])
    with pytest.raises(ArcalError, match="class names"):
        export_calibrated(classifier, torch.rand(2, 4), tmp_path, ["pt2"], class_names=["one"])
    assert [module.training for module in classifier.modules()] == modes
    assert {n: (one, one.data_ptr()) for n, one in classifier.named_parameters()} == before


def test_a_classifier_in_float32_is_exported_without_float64(tmp_path):
    classifier = Calibrated(nn.Linear(3, 4), Temperature(2.0)).to(torch.float32)
    (path,) = export_calibrated(classifier, torch.rand(2, 3), tmp_path, ["pt2"])
    program = torch.export.load(path)
    assert "float64" not in str(program.graph)
    assert {one.dtype for one in program.state_dict.values()} == {torch.float32}


class Stubborn(nn.Module):
    def forward(self, x):
        return x[:, :2] if x.sum().item() > 1e9 else x[:, 2:4]


def test_what_cannot_be_exported_is_one_line(tmp_path):
    table = torch.rand(3, 4)
    with pytest.raises(ArcalError, match="format 'gguf' is unknown: choose from pt2, onnx"):
        check_formats(["gguf"])
    with pytest.raises(ArcalError, match=r"cannot be exported by torch\.export") as caught:
        export_calibrated(Calibrated(Stubborn(), Temperature(2.0)), table, tmp_path, ["pt2"])
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ets", "ebs", "spline"])
def test_onnxruntime_gives_the_same_probabilities_of_very_sure_inputs(kind, tmp_path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="an extra: pip install arcal[onnx]")
    network = nn.Linear(5, 5, bias=False)
    nn.init.eye_(network.weight)
    classifier = Calibrated(network, fitted(kind)).eval()
    sure = torch.tensor(
        [[740.0, 0, 0, 0, 0], [1e4, -1e4, 0, 1, 2], [-1e4] * 5, [0, 1e4, 1e4, 0, 0]]
    )
    (path,) = export_calibrated(classifier, torch.randn(4, 5), tmp_path, ["onnx"])
    with torch.no_grad():
        expected = classifier.probabilities(sure)
    torch.testing.assert_close(run_onnx(path, sure).double().exp(), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_what_onnxruntime_cannot_run_is_one_line(tmp_path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="an extra: pip install arcal[onnx]")
    classifier = Calibrated(nn.Linear(3, 4).bfloat16(), Temperature(2.0))
    with pytest.raises(ArcalError, match="cannot be exported to ONNX") as caught:
        export_calibrated(classifier, torch.rand(4, 3).bfloat16(), tmp_path, ["onnx"])
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", POSTHOC)
def test_onnxruntime_gives_the_same_probabilities(kind, network, tmp_path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="an extra: pip install arcal[onnx]")
    classifier = Calibrated(network, fitted(kind)).eval()
    (path,) = export_calibrated(classifier, images(4), tmp_path, ["onnx"])
    for N in (1, 4, 11):
        with torch.no_grad():
            expected = classifier.probabilities(images(N))
        torch.testing.assert_close(
            run_onnx(path, images(N)).double().exp(), expected, rtol=0, atol=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize("format", ["pt2", "onnx"])
def test_programs_keep_predictions_where_isotonic_regression_is_flat(format, tmp_path):
    """In float32, and through the optimiser of ONNX."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="an extra: pip install arcal[onnx]")
    network = nn.Linear(5, 5, bias=False)
    nn.init.eye_(network.weight)
    z = 4 * torch.randn(20_000, 5, generator=torch.Generator().manual_seed(1))
    classifier = Calibrated(network, fitted("irm")).eval()
    (path,) = export_calibrated(classifier, z[:4], tmp_path, [format])
    log_p = run_onnx(path, z) if format == "onnx" else torch.export.load(path).module()(z)
    assert torch.equal(log_p.argmax(1), z.argmax(1))
