"""A run folder of arcal's: the ensemble of its members as one model."""

from pathlib import Path

from arcal.auditing import Method
from arcal.classifiers._opened_classifier import Loaded
from arcal.external import parameters, versions
from arcal.store import RunFolder
from arcal.training.run import fingerprint_of, model_of, read_run


def load_run(path: Path) -> Loaded:
    """The model of a finished run, its only member or their ensemble, and what the run says of it.

    A folder that is no run, or a run that is not finished, raises `ArcalError`.
    """
    folder = RunFolder.open(path)
    network, record = model_of(folder), read_run(folder)
    run, data = record.run, record.data
    trained_on, validated_on, _ = data.parts
    members = f", {len(run.seeds)} members" if len(run.seeds) > 1 else ""
    return Loaded(
        folder.name,
        network,
        identity=f"run {folder.digest}",
        facts={
            "Network": f"{run.network_name}{members}, {parameters(network)}",
            "Weights": f"{folder.checkpoint.name}, SHA-256 {fingerprint_of(folder)}",
            "Method": Method(run.method, run.settings).label,
            "Seeds": " ".join(map(str, run.seeds)),
            "Trained on": f"{trained_on}, validated on {validated_on}",
        },
        library=versions(),
        normalized="none added: what there is, is inside the network",
        kind="images",
        classes=len(data.classes),
        class_names=data.classes,
        input_shape=data.shape,
    )
