"""A finished run as a classifier, and any classifier by its name, a run's folder included."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from arcal.attacks.any_model import as_model
from arcal.auditing import Method
from arcal.classifiers import OpenedClassifier, open_classifier, parameters, versions
from arcal.errors import ArcalError
from arcal.files import expanded
from arcal.store import RunFolder, is_run_folder
from arcal.training.saved_run import fingerprint_of, model_of, read_run


def open_model(
    spec: str,
    *,
    weights: Path | str | None = None,
    normalize: str | Sequence[Any] | None = None,
    device: str | torch.device = "cpu",
) -> OpenedClassifier:
    """The classifier of a run's folder, or whatever else `open_classifier` opens by this name.

    >>> _ = Path("mine.py").write_text("from torch import nn; network = nn.Linear(12, 2)")
    >>> open_model("mine.py:network").name
    'network'
    """
    path = expanded(spec or "?")
    if not path.is_dir() or ((path / "config.json").is_file() and not is_run_folder(path)):
        return open_classifier(spec, weights=weights, normalize=normalize, device=device)
    for name, value in (("weights", weights), ("normalisation", normalize)):
        if value is not None:
            raise ArcalError(f"{spec} has its own {name}: leave out {value}")
    return open_run(path, device=device)


def open_run(path: Path, *, device: str | torch.device = "cpu") -> OpenedClassifier:
    """The model of a finished run, its only member or their ensemble, and what the run says of it.

    A folder that is not a run, or a run that is not finished, raises `ArcalError`. (`open_model`
    has an example.)
    """
    folder = RunFolder.open(path)
    network, record = model_of(folder), read_run(folder)
    run, data = record.run, record.data
    trained_on, validated_on, _ = data.parts
    members = f", {len(run.seeds)} members" if len(run.seeds) > 1 else ""
    return OpenedClassifier(
        folder.name,
        as_model(network.eval().to(device)),
        identity=f"run {folder.digest}\n",
        facts={
            "Network": f"{run.network_name}{members}, {parameters(network)}",
            "Weights": f"{folder.checkpoint.name}, SHA-256 {fingerprint_of(folder)}",
            "Method": Method(run.method, run.settings).label,
            "Seeds": " ".join(map(str, run.seeds)),
            "Trained on": f"{trained_on}, validated on {validated_on}",
            "Normalisation": "none added: what there is, is inside the network",
            "Library": versions(),
        },
        kind="images",
        classes=len(data.classes),
        class_names=data.classes,
        input_shape=data.shape,
    )
