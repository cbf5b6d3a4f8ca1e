"""The robustness level of each example, looked up by its id and never by its position."""

import warnings

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError

ALIKE = 30
"""So many batches in a row with the ids 0, 1, .. are refused: a shuffled loader does not yield even
two, but a step that uses a batch several times may."""


class ById(nn.Module):
    """Values looked up by example id. Every buffer has one row per example.

    One of them is `ids`, int64 `(N,)`, ascending, possibly sparse.
    """

    ids: Tensor

    def places(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The rows `(B,)` of these ids in a table that is not empty, and whether each is known."""
        places = torch.searchsorted(self.ids, ids.contiguous()).clamp(max=len(self.ids) - 1)
        return places, self.ids[places] == ids

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        for name, buffer in self._buffers.items():  # sized as in the saved state, not as before
            if prefix + name in state_dict and buffer is not None:
                loaded = torch.empty_like(state_dict[prefix + name], device=buffer.device)
                setattr(self, name, loaded)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _check_whole(numbers: Tensor, name: str, give: str = "whole numbers") -> None:
    """Refuse floats and booleans, but not an empty list, which has no dtype of its own."""
    if len(numbers) and (numbers.is_floating_point() or numbers.dtype == torch.bool):
        raise ArcalError(f"{name} are {numbers.dtype}: give {give}")


class LevelsById(ById):
    """A table from example id to level; ids may be sparse. An unknown id raises `ArcalError`.

    >>> table = LevelsById(R=3, part="train")
    >>> table.assign(torch.tensor([40, 7]), torch.tensor([2, 0]))
    >>> table(torch.tensor([7, 40, 7]))
    tensor([0, 2, 0])
    """

    levels: Tensor

    def __init__(self, R: int, part: str):
        super().__init__()
        self.R: int = R
        self.part: str = part
        self._alike: int = 0
        self.register_buffer("ids", torch.empty(0, dtype=torch.int64, device="cpu"))
        self.register_buffer("levels", torch.empty(0, dtype=torch.int64, device="cpu"))

    def extra_repr(self) -> str:
        return f"{self.R} levels of {len(self.ids):,} ids"

    def assign(self, ids: Tensor, levels: Tensor) -> None:
        """Fill the table: unique int64 ids `(N,)` and their levels `(N,)` in [0, R)."""
        if ids.shape != levels.shape or ids.ndim != 1:
            raise ArcalError(
                f"{self.part} ids have shape {tuple(ids.shape)}, levels {tuple(levels.shape)}: "
                "give one level for each id"
            )
        _check_whole(ids, f"{self.part} ids")
        _check_whole(levels, f"{self.part} levels", "`arcal.levels(robustness, ids, R)`")
        if len(levels) and (levels.min() < 0 or levels.max() >= self.R):
            raise ArcalError(
                f"{self.part} levels run from {int(levels.min())} to {int(levels.max())}: "
                f"they must be in 0 to {self.R - 1}"
            )
        ids, order = ids.to(levels.device).sort()
        if (ids[1:] == ids[:-1]).any():
            raise ArcalError(f"a {self.part} id occurs twice: ids must be unique")
        device = self.ids.device
        self.ids: Tensor = ids.to(device)
        self.levels = levels[order].long().to(device)

    def forward(self, ids: Tensor) -> Tensor:
        """The levels int64 `(N,)` of the examples with these ids."""
        _check_whole(ids, f"{self.part} ids")
        if len(self.ids) == 0:
            raise ArcalError(
                f"there are no {self.part} levels: call assign({self.part!r}, ids, levels) first"
            )
        places, known = self.places(ids)
        if not known.all():
            raise ArcalError(
                f"{self.part} id {int(ids[~known][0])} has no level: assign a level to every id"
            )
        self._look_for_places(ids)
        return self.levels[places]

    def all_levels(self, ids: Tensor) -> Tensor:
        """The levels int64 `(N,)` of these examples, which should be all there are, each once.

        If some are missing, a warning says how many.
        """
        if len(ids) < len(self.ids):
            warnings.warn(
                f"these are predictions of {len(ids):,} of the {len(self.ids):,} {self.part} "
                "examples: update once an epoch, with all of them",
                stacklevel=2,
            )
        return self(ids)

    def _look_for_places(self, ids: Tensor) -> None:
        """Refuse training ids that are 0 to n - 1 in batch after batch, though there are more."""
        n = len(ids)
        if self.part != "train" or not 1 < n < len(self.ids):
            return
        alike = torch.equal(ids, torch.arange(n, device=ids.device, dtype=ids.dtype))
        self._alike = self._alike + 1 if alike else 0
        if self._alike == ALIKE:
            raise ArcalError(
                f"the ids of {ALIKE} batches one after another are 0 to {n - 1}, as if they were "
                "places in the batch: give each example's own id, as `arcal.data.WithIds` does"
            )
