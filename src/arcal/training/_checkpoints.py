"""The checkpoint of a run: the weights of its members, their optimizers and the method's state.

Tensors are called `member0.WEIGHT`, `optimizer0.INDEX.NAME` and `method.NAME`; a number is the
member's. The header has the number of epochs done, the digest of the run, and whether the last
epoch is still to be re-scored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError
from arcal.store import RunFolder, load_header, load_tensors, save_tensors


def member_state(m: int, model: nn.Module, optimizer: Any) -> dict[str, Tensor]:
    """The weights of member `m` and its optimizer's state for each."""
    tensors = {f"member{m}.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if value is not None:
                tensors[f"optimizer{m}.{index}.{name}"] = torch.as_tensor(value, device="cpu")
    return tensors


def named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have this prefix, by what follows it."""
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What is needed to continue a run after its `epochs`, of which the last may be `unscored`."""

    path: Path
    tensors: dict[str, Tensor]
    epochs: int
    unscored: bool = False

    @classmethod
    def open(cls, folder: RunFolder) -> "Checkpoint":
        """Open the checkpoint of a run; one of another run raises `ArcalError`."""
        tensors, header = load_tensors(folder.checkpoint)
        if header.get("run", folder.digest) != folder.digest:
            raise ArcalError(
                f"{folder.checkpoint} belongs to the run {header['run']}, not to this folder's: "
                "put its own back, or delete it and train the run again"
            )
        unscored = header.get("unscored", False)
        return cls(folder.checkpoint, tensors, header.get("epoch", 0), unscored)

    def save(self, folder: RunFolder) -> None:
        """Write it into the run's folder."""
        header: dict[str, Any] = {"epoch": self.epochs, "run": folder.digest}
        if self.unscored:
            header["unscored"] = True
        save_tensors(self.path, self.tensors, **header)

    def load(self, module: nn.Module, prefix: str) -> None:
        """Put the tensors of this prefix into a module; ones that do not fit raise `ArcalError`."""
        try:
            module.load_state_dict(named(self.tensors, prefix))
        except RuntimeError as error:
            first = str(error).splitlines()[-1].strip()
            raise ArcalError(f"{self.path} is of another network or method: {first}") from None

    def load_optimizer(self, m: int, optimizer: Any) -> None:
        """Give the optimizer of member `m` its saved state."""
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in named(self.tensors, f"optimizer{m}.").items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})


def load_members(models: list[nn.Module], folder: RunFolder) -> None:
    """Put the members' weights of a run's checkpoint into `models`."""
    checkpoint = Checkpoint.open(folder)
    for m, model in enumerate(models):
        checkpoint.load(model, f"member{m}.")


def check_metrics(folder: RunFolder) -> None:
    """Refuse a run whose metrics cover fewer epochs than its checkpoint: it cannot continue."""
    header = load_header(folder.checkpoint) if folder.checkpoint.exists() else {}
    if (n := folder.epochs_done()) < (epoch := header.get("epoch", 0)):
        raise ArcalError(
            f"{folder.path} has {n} epochs in metrics.jsonl, its checkpoint {epoch}: delete the "
            "folder and train it again"
        )
