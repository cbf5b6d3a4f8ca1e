"""A `.onnx` file, run by onnxruntime without gradients; and one with a calibrator behind it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from arcal.attacks.any_model import Classifier
from arcal.calibration.posthoc import Calibrated, Calibrator
from arcal.classifiers._class_names import read_entries
from arcal.classifiers._libraries import library, versions
from arcal.classifiers._opened_classifier import Loaded, kind_of_shape
from arcal.errors import ArcalError, ModelInputError, first_line
from arcal.logits import are_probabilities

INPUTS = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
    "tensor(uint8)": torch.uint8,
}
"""Input types: floats get inputs as they are, uint8 gets images in [0, 1] scaled to 0 to 255."""


FLOOR = torch.finfo(torch.float32).eps
"""The least probability if the graph has no logits: smaller ones were rounded, often to 0."""

PLENTY = 8
"""Rows needed to tell probabilities from logits: a few rows of logits may pass by chance."""


@dataclass(frozen=True)
class Taken:
    """The value that is used of a graph: logits, or probabilities if it has nothing else."""

    name: str
    words: str
    probabilities: bool = False
    binary: bool = False


class OnnxNetwork(nn.Module):
    """Maps inputs `(N, ...)` to logits `(N, Z)` by onnxruntime, on the CPU.

    A graph with a fixed batch size gets batches of that size, the last one filled up with its own
    first input. Images `(N, C, H, W)` are passed as `(N, H, W, C)` if the graph wants that, and
    images in [0, 1] as 0 to 255 if it wants uint8. Logits are those of the graph; if it has only
    probabilities, logits are the logarithms of these, raised to at least `FLOOR`. There are no
    gradients: inputs that need one raise `ArcalError`.
    """

    def __init__(self, content: bytes, taken: Taken):
        super().__init__()
        self.content, self.taken = content, taken
        self._session = session_of(content)
        (self._input,) = self._session.get_inputs()
        lengths = tuple(self._input.shape[1:])
        known = lengths and all(isinstance(length, int) for length in lengths)
        self.input_shape: tuple[int, ...] | None = lengths if known else None
        self._channels_last = (
            len(lengths) == 3 and lengths[2] in (1, 3) and lengths[0] not in (1, 3)
        )
        if self._channels_last and known:
            self.input_shape = (lengths[2], *lengths[:2])
        self.training = False

    def __reduce__(self) -> tuple[Any, ...]:
        return OnnxNetwork, (self.content, self.taken)  # a session cannot be copied

    @property
    def takes(self) -> str:
        """The shape and type of its inputs, as the graph names them."""
        lengths = ", ".join(str(length) for length in self._input.shape)
        return f"{self._input.type.removeprefix('tensor(').removesuffix(')')} ({lengths})"

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad and torch.is_grad_enabled():
            raise ArcalError(
                "a .onnx file has no gradients, which attacks and --order gradient need: choose "
                "--order margin, or give the network in torch"
            )
        z = self.values(x)
        if self.taken.binary and z.shape[1:] not in ((1,), ()):
            raise ArcalError(
                f"the file ends in a sigmoid of {tuple(z.shape[1:])} values: a sigmoid of one, of "
                "two classes, or logits of exclusive classes are needed"
            )
        if self.taken.probabilities:
            if not (z.ge(0).all() and (z.sum(1) - 1).abs().le(1e-2).all()):
                raise ArcalError(
                    f"{self.taken.name} of the file does not hold probabilities: call it logits"
                )
            z = z.clamp(min=FLOOR).log()
        elif z.ndim == 2 and len(z) >= PLENTY and are_probabilities(z):
            raise ArcalError(
                f"{self.taken.name} of the file holds probabilities: export the logits, or call it "
                "probabilities, and their logarithms are taken"
            )
        return z.to(x.device, x.dtype)

    def values(self, x: Tensor) -> Tensor:
        """The value used of the graph for inputs `(N, ...)`, unchanged, on the CPU."""
        given, dtype = x.detach(), INPUTS[self._input.type]
        if dtype == torch.uint8:
            given = (given * 255).round()
            if not ((given >= 0) & (given <= 255)).all():
                raise ArcalError(
                    "the file takes uint8, and some inputs are outside [0, 1]: give images in "
                    "[0, 1], without a normalisation"
                )
        given = given.to("cpu", dtype)
        if self._channels_last:
            given = given.permute(0, 2, 3, 1)
        size = self._input.shape[0]
        parts = given.split(size) if isinstance(size, int) else (given,)
        return torch.cat([self._run(part, size) for part in parts])

    def _run(self, x: Tensor, size: Any) -> Tensor:
        rows = len(x)
        if isinstance(size, int) and rows < size:
            x = torch.cat([x, x[:1].expand(size - rows, *x.shape[1:])])
        try:
            (z,) = self._session.run([self.taken.name], {self._input.name: x.contiguous().numpy()})
        except Exception as error:  # onnxruntime raises classes of its own, one per cause
            raise ModelInputError(
                f"onnxruntime cannot run inputs {tuple(x.shape)} ({first_line(error)[:200]}): the "
                f"file takes {self.takes}"
            ) from error
        return torch.from_numpy(z)[:rows]


def session_of(program: bytes | str) -> Any:
    """A session for a graph or the path of its file, on the CPU with as many threads as torch."""
    onnxruntime: Any = library("onnxruntime", "a .onnx file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(program, options, providers=["CPUExecutionProvider"])


def load_onnx(path: Path) -> Loaded:
    """An ONNX classifier from its file, with the shape of its inputs and the number of classes.

    The graph must have one input, floats or uint8 images, and one output `(N, Z)` of floats;
    others, such as the label that scikit-learn's converter adds, are left out. If the last
    operation is a softmax or a sigmoid, its input is used: the logits. Any other graph, a damaged
    file, missing weights that should be beside it, and missing packages raise `ArcalError`.
    """
    onnx: Any = library("onnx", "a .onnx file")
    library("onnxruntime", "a .onnx file")
    if not path.is_file():
        raise ArcalError(f"{path} is missing: give the file of an ONNX classifier")
    try:
        graph = onnx.load(str(path))  # with the weights that large networks keep beside the file
        taken = _taken(path, graph, onnx)
        content = graph.SerializeToString()
        network = OnnxNetwork(content, taken)
    except ArcalError:
        raise
    except Exception as error:  # all kinds, from protobuf, onnx and onnxruntime
        if "NOT_IMPLEMENTED" in str(error):
            raise ArcalError(
                f"{path} has an operation that onnxruntime does not compute for this type on a CPU "
                f"({first_line(error)[:200]}): export the network in float32"
            ) from error
        raise ArcalError(
            f"{path} cannot be opened as an ONNX classifier ({first_line(error)[:200]}): export it "
            "again, with its weights inside or beside it"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    shape = network.input_shape
    said = {one.key: one.value for one in graph.metadata_props}
    class_names, calibrated_on = read_entries(said.get)
    return Loaded(
        path.stem,
        network,
        identity=f"onnx {digest} {taken.name}",
        facts={
            "Network": f"an ONNX graph, run by onnxruntime: {taken.words}",
            "Weights": f"{path.name}, SHA-256 {digest[:16]}",
            "Inputs": network.takes,
        },
        library=versions("onnx", "onnxruntime"),
        normalized="none added: what there is, is inside the graph",
        kind=kind_of_shape(shape),
        class_names=class_names or _names_in(graph),
        calibrated_on=calibrated_on,
        input_shape=shape,
    )


def _taken(path: Path, graph: Any, onnx: Any) -> Taken:
    """The logits of a graph, which become one of its outputs; or its probabilities."""
    kinds = onnx.TensorProto
    floats = {kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE}
    _check_inputs(path, graph, floats, onnx)
    zipped = [node for node in graph.graph.node if node.op_type == "ZipMap"]
    if len(zipped) == 1:  # scikit-learn's converter makes dicts of probabilities
        name = zipped[0].input[0]
        _add_output(graph, name, onnx)
        return Taken(name, _logarithms(name), probabilities=True)
    name = _output(path, graph, floats)
    last = _last_node(graph, name)
    if last is not None and last.op_type in ("Softmax", "Sigmoid"):  # what follows is rounded
        logits = last.input[0]
        _add_output(graph, logits, onnx)
        said = f"the input of its {last.op_type.lower()}, {logits}"
        return Taken(logits, said, binary=last.op_type == "Sigmoid")
    classical = last is not None and last.domain == "ai.onnx.ml"
    if classical or ("prob" in name.lower() and "log" not in name.lower()):
        return Taken(name, _logarithms(name), probabilities=True)
    return Taken(name, f"its output {name}")


def _check_inputs(path: Path, graph: Any, floats: set[int], onnx: Any) -> None:
    """Refuse a graph that takes anything but one tensor of floats or a batch of 8-bit images."""
    weights = {tensor.name for tensor in graph.graph.initializer}
    inputs = [one for one in graph.graph.input if one.name not in weights]
    if len(inputs) == 1:
        tensor = inputs[0].type.tensor_type
        images = len(tensor.shape.dim) == 4 and tensor.elem_type == onnx.TensorProto.UINT8
        if images or tensor.elem_type in floats:
            return
    names = ", ".join(f"{one.name} ({_kind(one, onnx)})" for one in inputs)
    raise ArcalError(
        f"{path} takes {names or 'nothing'}: one input of floats, or of images as uint8, can "
        "be given"
    )


def _output(path: Path, graph: Any, floats: set[int]) -> str:
    """The name of the only output of floats, or of the only one of them called logits."""
    outputs = [one for one in graph.graph.output if one.type.tensor_type.elem_type in floats]
    if len(outputs) > 1:
        outputs = [one for one in outputs if "logit" in one.name.lower()] or outputs
    if len(outputs) != 1:
        names = ", ".join(one.name for one in graph.graph.output)
        raise ArcalError(
            f"{path} returns {names}, and one output of floats (N, Z) is needed: export it with "
            "one, or call one of them logits"
        )
    return outputs[0].name


def _last_node(graph: Any, output: str) -> Any:
    """The node that computes an output, before copies and casts of it; None for an input."""
    producers = {name: node for node in graph.graph.node for name in node.output}
    last = producers.get(output)
    while last is not None and last.op_type in ("Identity", "Cast"):
        last = producers.get(last.input[0])
    return last


def _kind(value: Any, onnx: Any) -> str:
    return onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()


def _names_in(graph: Any) -> tuple[str, ...] | None:
    """The class names in the nodes of a scikit-learn classifier; None if there are none."""
    listed = {
        tuple(name.decode() for name in attribute.strings)
        for node in graph.graph.node
        for attribute in node.attribute
        if node.domain == "ai.onnx.ml" and attribute.name == "classlabels_strings"
    }
    listed = {names for names in listed if len(names) > 1}
    return listed.pop() if len(listed) == 1 else None  # several, as in a vote, are ambiguous


def _logarithms(name: str) -> str:
    return f"logarithms of its {name}, of at least {FLOOR:.1g}"


def _add_output(graph: Any, name: str, onnx: Any) -> None:
    if all(one.name != name for one in graph.graph.output):
        graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))


def onnx_network(model: nn.Module | Callable[[Any], Tensor]) -> OnnxNetwork | None:
    """The network of a `.onnx` file in an opened classifier; None if it is of another kind."""
    if not isinstance(model, nn.Module) or not any(
        isinstance(module, OnnxNetwork) for module in model.modules()
    ):
        return None
    inner = model.classifier if isinstance(model, Classifier) else model
    if not isinstance(inner, OnnxNetwork):
        raise ArcalError("a .onnx file with its own normalisation cannot be exported")
    return inner


class _Behind(nn.Module):
    """Maps the graph's output to calibrated log-probabilities `(N, Z)` of the same dtype."""

    def __init__(self, network: OnnxNetwork, calibrator: Calibrator):
        super().__init__()
        self.probabilities = network.taken.probabilities
        self.calibrated = Calibrated(nn.Identity(), calibrator)
        self.training = False

    def forward(self, z: Tensor) -> Tensor:
        logits = z.clamp(min=FLOOR).log() if self.probabilities else z
        if z.shape[1:] in ((), (1,)):  # the one logit of two classes
            logits = torch.stack([torch.zeros_like(z), z], dim=-1).flatten(1)
        return self.calibrated(logits).to(z.dtype)


def save_onnx_calibrated(
    network: OnnxNetwork,
    calibrator: Calibrator,
    path: Path,
    save: Callable[[nn.Module, Tensor, Path], None],
    x: Tensor,
) -> None:
    """Write the graph followed by the calibrator; the inputs are those of the graph.

    `save` writes a module as ONNX, for inputs like those it is given. The output is
    `log_probabilities` `(N, Z)`. The calibrator is converted to the graph's version of the format
    or, if an operation has no older form, the graph to the calibrator's version. If neither is
    possible, onnx raises its own error.
    """
    onnx: Any = library("onnx", "a .onnx file")
    save(_Behind(network, calibrator), network.values(x), path)
    graph, behind = onnx.load_model_from_string(network.content), onnx.load(str(path))
    version = next(one.version for one in graph.opset_import if one.domain in ("", "ai.onnx"))
    try:
        behind = onnx.version_converter.convert_version(behind, version)
    except Exception:  # not all operations have an older form: the graph is brought up instead
        newer = next(one.version for one in behind.opset_import if one.domain in ("", "ai.onnx"))
        graph = onnx.version_converter.convert_version(graph, newer)
    behind.ir_version = graph.ir_version = max(behind.ir_version, graph.ir_version)
    (source,), (result,) = behind.graph.input, behind.graph.output
    merged = onnx.compose.merge_models(
        graph,
        behind,
        io_map=[(network.taken.name, source.name)],
        outputs=[f"calibrated/{result.name}"],
        prefix2="calibrated/",
    )
    onnx.checker.check_model(merged)
    onnx.save(merged, str(path))


def run_calibrated(path: Path, x: Tensor) -> Tensor:
    """The output of such a file for inputs that its network takes, in the dtype of `x`."""
    content = path.read_bytes()
    name = session_of(content).get_outputs()[0].name
    return OnnxNetwork(content, Taken(name, f"its output {name}"))(x.detach())
