"""ONNX classifiers from files: which value is taken, batches, layouts, and what is refused."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from arcal.attacks import BoundaryProjection
from arcal.auditing import check_model
from arcal.calibration.posthoc import Calibrated, Temperature
from arcal.classifiers import export_calibrated, open_classifier
from arcal.errors import ArcalError

onnx = pytest.importorskip("onnx", reason="an extra: pip install arcal[onnx]")
pytest.importorskip("onnxruntime", reason="an extra: pip install arcal[onnx]")

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
WEIGHT = np.array([[2, -1, 0.5], [0, 1, -2], [1, 1, 1], [-0.5, 0, 3]], dtype=np.float32)


def write(path, *nodes, inputs=(("x", FLOAT, (None, 4)),), outputs=(("z", FLOAT, (None, 3)),)):
    """A graph whose first node is the linear layer x WEIGHT, called z, and `nodes` behind it."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["z"]), *nodes],
        "graph",
        [value(*one) for one in inputs],
        [value(*one) for one in outputs],
        [onnx.numpy_helper.from_array(WEIGHT, "w")],
    )
    versions = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    model = onnx.helper.make_model(graph, opset_imports=versions, ir_version=8)
    onnx.save(model, str(path))
    return str(path)


def node(kind, result, source="z", **settings):
    return onnx.helper.make_node(kind, [source], [result], **settings)


def rows(N):
    return torch.rand(N, 4, generator=torch.Generator().manual_seed(N))


def test_logits_are_those_of_the_graph(tmp_path):
    opened = open_classifier(write(tmp_path / "net.onnx"))
    for N in (1, 7):
        expected = rows(N) @ torch.from_numpy(WEIGHT)
        torch.testing.assert_close(opened.model(rows(N)), expected)
    check_model(opened.model, rows(9), classes=3)
    assert (opened.name, opened.kind, opened.input_shape) == ("net", "table", (4,))
    assert opened.facts["Network"] == "an ONNX graph, run by onnxruntime: its output z"


def test_the_input_of_a_last_softmax_is_taken(tmp_path):
    outputs = (("p", FLOAT, (None, 3)),)
    file = write(tmp_path / "net.onnx", node("Softmax", "p", axis=1), outputs=outputs)
    opened, x = open_classifier(file), 1000 * rows(5)  # whose probabilities are 0 and 1 in float32
    torch.testing.assert_close(opened.model(x), x @ torch.from_numpy(WEIGHT))
    assert opened.facts["Network"].endswith("the input of its softmax, z")


def test_a_last_sigmoid_is_of_two_classes(tmp_path):
    picked = onnx.helper.make_node("ReduceSum", ["z"], ["one"], keepdims=1, noop_with_empty_axes=0)
    picked.input.append("axis")
    outputs, graph = (("p", FLOAT, (None, 1)),), tmp_path / "binary.onnx"
    axis = onnx.helper.make_node("Constant", [], ["axis"], value_ints=[1])
    write(graph, axis, picked, node("Sigmoid", "p", "one"), outputs=outputs)
    x, expected = rows(6), (rows(6) @ torch.from_numpy(WEIGHT)).sum(1)
    model = open_classifier(str(graph)).model
    torch.testing.assert_close(model(x).softmax(1)[:, 1], expected.sigmoid())

    several = write(tmp_path / "several.onnx", node("Sigmoid", "s"), outputs=(("s", FLOAT, None),))
    with pytest.raises(ArcalError, match=r"a sigmoid of \(3,\) values: a sigmoid of one, of two"):
        open_classifier(several).model(x)


def test_probabilities_without_logits_become_logarithms(tmp_path):
    """As scikit-learn's converter writes them: a label, and a dict of probabilities a row."""
    shares = node("Normalizer", "shares", "size", norm="L1", domain="ai.onnx.ml")
    zipped = node("ZipMap", "maps", "shares", classlabels_int64s=[0, 1, 2], domain="ai.onnx.ml")
    nodes = node("Abs", "size"), shares, zipped, node("ArgMax", "label", "shares", axis=1)
    outputs = ("label", INT64, None), ("shares", FLOAT, (None, 3))
    file = write(tmp_path / "forest.onnx", *nodes, outputs=outputs)
    graph = onnx.load(file)
    graph.graph.output.pop()
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info("maps"))
    onnx.save(graph, file)
    opened, z = open_classifier(file), (rows(5) @ torch.from_numpy(WEIGHT)).abs()
    torch.testing.assert_close(opened.model(rows(5)).exp(), z / z.sum(1, keepdim=True))
    check_model(opened.model, rows(9), classes=3)
    zero = torch.tensor([[0.0, 1, 0, 0]])  # (0, 1, -2): the first class has the share 0
    floor = torch.finfo(torch.float32).eps
    assert opened.model(zero)[0, 0].exp().item() == pytest.approx(floor, rel=1e-5)


def test_probabilities_by_another_name_are_refused_with_what_to_do(tmp_path):
    nodes = node("Softmax", "p", axis=1), node("Relu", "out", "p")
    file = write(tmp_path / "net.onnx", *nodes, outputs=(("out", FLOAT, (None, 3)),))
    with pytest.raises(ArcalError, match="out of the file holds probabilities: export the logits"):
        open_classifier(file).model(rows(9))


def test_classes_are_called_as_a_classifier_of_scikit_learn_calls_them(tmp_path):
    names = ["dog", "ant", "cat"]
    shares = node("Softmax", "shares", axis=1)
    zipped = node("ZipMap", "maps", "shares", classlabels_strings=names, domain="ai.onnx.ml")
    file = write(tmp_path / "net.onnx", shares, zipped, outputs=(("shares", FLOAT, None),))
    assert open_classifier(file).class_names == ("dog", "ant", "cat")


def test_a_batch_of_fixed_size_is_filled_up(tmp_path):
    inputs, outputs = (("x", FLOAT, (4, 4)),), (("z", FLOAT, (4, 3)),)
    opened = open_classifier(write(tmp_path / "net.onnx", inputs=inputs, outputs=outputs))
    for N in (1, 4, 11):
        torch.testing.assert_close(opened.model(rows(N)), rows(N) @ torch.from_numpy(WEIGHT))


def of_images(path, *nodes, shape, kind=FLOAT):
    """The same graph of images of this shape, by `nodes` from `image` to `x` before it."""
    write(path, inputs=(("image", kind, shape),), outputs=(("z", FLOAT, (shape[0], 3)),))
    graph = onnx.load(str(path))
    for last in reversed(nodes):
        graph.graph.node.insert(0, last)
    onnx.save(graph, str(path))
    return open_classifier(str(path))


def test_images_of_whole_numbers_get_them_and_others_are_refused(tmp_path):
    nodes = node("Cast", "c", "image", to=FLOAT), node("Flatten", "x", "c")
    kind = onnx.TensorProto.UINT8
    opened = of_images(tmp_path / "u8.onnx", *nodes, shape=(None, 1, 2, 2), kind=kind)
    pixels = torch.tensor([[0, 1, 127, 255]])
    z = opened.model(pixels.view(1, 1, 2, 2) / 255)
    torch.testing.assert_close(z, pixels.float() @ torch.from_numpy(WEIGHT))
    with pytest.raises(ArcalError, match=r"takes uint8, and some inputs are outside \[0, 1\]"):
        opened.model(pixels.view(1, 1, 2, 2).float())
    with pytest.raises(ArcalError, match=r"takes image \(uint8\): one input of floats, or of imag"):
        of_images(tmp_path / "u8.onnx", *nodes, shape=(None, 4), kind=kind)


@pytest.mark.parametrize("shape", [(None, 2, 2, 1), (1, 1, 2, 2), (3, 2, 2, 1)])
def test_the_calibrated_graph_takes_what_the_graph_takes(shape, tmp_path):
    pytest.importorskip("onnxscript", reason="an extra: pip install arcal[onnx]")
    opened = of_images(tmp_path / "net.onnx", node("Flatten", "x", "image"), shape=shape)
    assert isinstance(opened.model, nn.Module)
    classifier, x = Calibrated(opened.model, Temperature(2.5)), rows(4).view(4, 1, 2, 2)
    (path,) = export_calibrated(classifier, x, tmp_path / "out", ["onnx"])
    log_p = open_classifier(str(path)).model(x)
    torch.testing.assert_close(log_p, classifier(x).float(), rtol=0, atol=1e-6)


def test_images_are_given_as_the_graph_wants_them(tmp_path):
    path = tmp_path / "keras.onnx"
    opened = of_images(path, node("Flatten", "x", "image"), shape=(None, 2, 2, 1))
    assert (opened.kind, opened.input_shape) == ("images", (1, 2, 2))
    x = rows(6)
    torch.testing.assert_close(opened.model(x.view(6, 1, 2, 2)), x @ torch.from_numpy(WEIGHT))
    normalized = open_classifier(str(path), normalize="0.5 0.25")
    expected = opened.model((x.view(6, 1, 2, 2) - 0.5) / 0.25)
    torch.testing.assert_close(normalized.model(x.view(6, 1, 2, 2)), expected)


def test_there_are_no_gradients(tmp_path):
    opened = open_classifier(write(tmp_path / "net.onnx"))
    with pytest.raises(ArcalError, match=r"a .onnx file has no gradients.*choose --order margin"):
        BoundaryProjection()(opened.model, rows(4))


def test_another_process_opens_it_anew(tmp_path):
    model = open_classifier(write(tmp_path / "net.onnx")).model
    torch.testing.assert_close(pickle.loads(pickle.dumps(model))(rows(5)), model(rows(5)))


@pytest.mark.parametrize("last", [None, "Softmax"])
def test_the_calibrated_graph_gives_the_same_probabilities(last, tmp_path):
    pytest.importorskip("onnxscript", reason="an extra: pip install arcal[onnx]")
    nodes = () if last is None else (node(last, "p", axis=1),)
    name = "z" if last is None else "p"
    file = write(tmp_path / "net.onnx", *nodes, outputs=((name, FLOAT, (None, 3)),))
    model = open_classifier(file).model
    assert isinstance(model, nn.Module)
    classifier = Calibrated(model, Temperature(2.5))
    (path,) = export_calibrated(classifier, rows(4), tmp_path / "out", ["onnx"])
    again = open_classifier(str(path))
    p = (rows(9) @ torch.from_numpy(WEIGHT) / 2.5).softmax(1)
    torch.testing.assert_close(again.model(rows(9)).softmax(1), p, rtol=0, atol=1e-6)
    with pytest.raises(ArcalError, match="can only be exported as onnx: leave other formats out"):
        export_calibrated(classifier, rows(4), tmp_path / "out", ["pt2", "onnx"])


@pytest.mark.parametrize(("last", "axes"), [(None, 1), ("Sigmoid", 1), (None, 0), ("Sigmoid", 0)])
def test_one_logit_is_exported_as_the_probabilities_of_two_classes(last, axes, tmp_path):
    pytest.importorskip("onnxscript", reason="an extra: pip install arcal[onnx]")
    picked = onnx.helper.make_node("ReduceSum", ["z", "axis"], ["one"], keepdims=axes)
    nodes = onnx.helper.make_node("Constant", [], ["axis"], value_ints=[1]), picked
    nodes += () if last is None else (node(last, "p", "one"),)
    shape = (None, 1)[: axes + 1]
    name = "one" if last is None else "p"
    file = write(tmp_path / "net.onnx", *nodes, outputs=((name, FLOAT, shape),))
    model = open_classifier(file).model
    assert isinstance(model, nn.Module)
    classifier = Calibrated(model, Temperature(2.5))
    (path,) = export_calibrated(classifier, rows(4), tmp_path / "out", ["onnx"])
    p = ((rows(9) @ torch.from_numpy(WEIGHT)).sum(1) / 2.5).sigmoid()
    again = open_classifier(str(path)).model(rows(9)).exp()
    torch.testing.assert_close(again, torch.stack([1 - p, p], dim=1), rtol=0, atol=1e-6)


def test_a_network_of_torch_is_itself(tmp_path):
    pytest.importorskip("onnxscript", reason="an extra: pip install arcal[onnx]")
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
    x = torch.rand(4, 3, 8, 8)
    export_calibrated(Calibrated(network, Temperature(1.0)), x, tmp_path, ["onnx"])
    opened = open_classifier(str(tmp_path / "calibrated.onnx"))
    assert (opened.kind, opened.input_shape) == ("images", (3, 8, 8))
    torch.testing.assert_close(
        opened.model(x), network(x).log_softmax(1).detach(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        (
            (("x", FLOAT, (None, 4)), ("y", FLOAT, None)),
            (("z", FLOAT, None),),
            r"takes x \(float\), y \(float\): one",
        ),
        ((("x", FLOAT, (None, 4)),), (("label", INT64, None),), "returns label, and one output"),
        (
            (("x", FLOAT, (None, 4)),),
            (("z", FLOAT, None), ("r", FLOAT, None)),
            "returns z, r, and one output of floats",
        ),
    ],
)
def test_what_is_no_classifier(inputs, outputs, said, tmp_path):
    nodes = node("ArgMax", "label", axis=1), node("Relu", "r")
    file = write(tmp_path / "net.onnx", *nodes, inputs=inputs, outputs=outputs)
    with pytest.raises(ArcalError, match=said):
        open_classifier(file)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(ArcalError, match="is missing: give the file of an ONNX classifier"):
        open_classifier(str(tmp_path / "net.onnx"))
    (tmp_path / "net.onnx").write_bytes(b"not a graph at all")
    with pytest.raises(ArcalError, match=r"net.onnx cannot be opened as an ONNX classifier"):
        open_classifier(str(tmp_path / "net.onnx"))
    file = write(tmp_path / "good.onnx")
    with pytest.raises(ArcalError, match=r"good.onnx has its own weights: leave out best.pth"):
        open_classifier(file, weights="best.pth")
    with pytest.raises(ArcalError, match=r"cannot run inputs \(3, 5\).*the file takes float"):
        open_classifier(file).model(torch.rand(3, 5))
