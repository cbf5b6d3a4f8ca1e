"""The graph of an ONNX classifier with its calibrator behind it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from arcal.auditing.models import Classifier
from arcal.calibration.posthoc import Calibrated, Calibrator
from arcal.classifiers._onnx_file import FLOOR, OnnxNetwork
from arcal.errors import ArcalError
from arcal.external import library


def onnx_network(model: nn.Module | Callable[[Any], Tensor]) -> OnnxNetwork | None:
    """The network of a `.onnx` file in an opened classifier, None if it is another."""
    if not isinstance(model, nn.Module) or not any(
        isinstance(module, OnnxNetwork) for module in model.modules()
    ):
        return None
    inner = model.classifier if isinstance(model, Classifier) else model
    if not isinstance(inner, OnnxNetwork) or inner.taken.binary:
        what = "a single logit" if isinstance(inner, OnnxNetwork) else "its own normalisation"
        raise ArcalError(f"a .onnx file with {what} cannot be exported")
    return inner


class _Behind(nn.Module):
    """What the graph gives `(N, Z)` to calibrated log-probabilities, of the same dtype."""

    def __init__(self, network: OnnxNetwork, calibrator: Calibrator):
        super().__init__()
        self.probabilities = network.taken.probabilities
        self.calibrated = Calibrated(nn.Identity(), calibrator)
        self.training = False

    def forward(self, z: Tensor) -> Tensor:
        logits = z.clamp(min=FLOOR).log() if self.probabilities else z
        return self.calibrated(logits).to(z.dtype)


def save_onnx_calibrated(
    network: OnnxNetwork,
    calibrator: Calibrator,
    path: Path,
    save: Callable[[nn.Module, Tensor, Path], None],
    x: Tensor,
) -> None:
    """Write the graph with the calibrator behind it, which takes what the graph takes.

    `save` writes a module as ONNX, for inputs like those it is given. The output is
    `log_probabilities` `(N, Z)`. A graph whose version of the format does not go with the
    calibrator's raises what onnx raises.
    """
    onnx: Any = library("onnx", "a .onnx file")
    with torch.no_grad():
        logits = network(x)
    save(
        _Behind(network, calibrator), logits.exp() if network.taken.probabilities else logits, path
    )
    graph, behind = onnx.load_model_from_string(network.content), onnx.load(str(path))
    version = next(one.version for one in graph.opset_import if one.domain in ("", "ai.onnx"))
    behind = onnx.version_converter.convert_version(behind, version)
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
