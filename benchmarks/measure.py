"""One attack on one batch: what it found, verified here, and what it cost."""

import gc
import json
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import process_time

import torch
from torch import Tensor, nn

from arcal.attacks import Model
from arcal.attacks.folding import folded
from arcal.attacks.logit_checks import checked_logits
from arcal.attacks.model import frozen, margin
from arcal.attacks.norms import NORMS
from arcal.errors import ArcalError
from arcal.store import load_tensors, save_tensors
from benchmarks.peers import Contestant
from benchmarks.settings import Setting

PASSES = 3
"""Passes timed before and after each of our attacks, for the floor of its time."""

COUNTED = 16
"""Images of the first batch on which the rows of our attacks are counted, in a run of its own."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """One attack on N images.

    `distance` float32 `(N,)`, `+inf` where nothing was found that changes the prediction; `seconds`
    of processor time. `forward` and `backward` are rows that went through the model, over `counted`
    images. For our attacks only: `passes` as they report them, summed, and the seconds one forward
    and backward pass to the input costs per image, on the `plain` model and on its folded `twin`.
    `run` names the process that measured.
    """

    distance: Tensor
    seconds: float
    forward: int
    backward: int
    counted: int
    run: str
    passes: int = 0
    plain: float = 0.0
    twin: float = 0.0


class Counter(nn.Module):
    """A model that counts the rows it is given and those that a gradient comes back for."""

    def __init__(self, model: Model):
        super().__init__()
        self.model, self.forward_rows, self.backward_rows = model, 0, 0
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        self.forward_rows += len(x)
        logits = self.model(x)
        if logits.requires_grad:
            logits.register_hook(self._came_back)
        return logits

    def _came_back(self, gradient: Tensor) -> None:
        self.backward_rows += len(gradient)


def measure(who: Contestant, model: nn.Module, x: Tensor, *, count: bool, run: str) -> Measurement:
    """Run one attack on `x (N, ...)`, the model's own prediction attacked.

    Peers run on a counting wrapper. Ours runs on the model itself, which it may trace, and once
    more on a wrapper that it cannot look into when `count` is set. An attack that leaves the model
    changed, its mode or its weights, raises: those after it would attack another one.
    """
    with torch.no_grad():
        y = checked_logits(model, x).argmax(dim=1)
    logits = model(x)
    before = _passes(who, model, x, y)
    torch.manual_seed(0)
    gc.collect()
    counter, passes = Counter(model), 0
    if who.ours is not None:
        start = process_time()
        result = who.ours(model, x, (0.0, 1.0))
        seconds = process_time() - start
        found, passes = result.x, int(result.passes.sum())
    else:
        assert who.run is not None
        start = process_time()
        found = who.run(counter, x.clone(), y.clone())
        seconds = process_time() - start
    after = _passes(who, model, x, y)
    counted = len(x)
    if who.ours is not None:
        counted = min(COUNTED, len(x)) if count else 0
        if count:
            who.ours(lambda given: counter(given), x[:COUNTED], (0.0, 1.0))
    if model.training or not torch.equal(model(x), logits):
        raise ArcalError(f"{who.name} has changed the model it attacked: leave it out by --only")
    return Measurement(
        distance=distance_of(model, x, found.detach(), y, who.norm),
        seconds=seconds,
        forward=counter.forward_rows,
        backward=counter.backward_rows,
        counted=counted,
        run=run,
        passes=passes,
        plain=(before[0] + after[0]) / 2,
        twin=(before[1] + after[1]) / 2,
    )


def distance_of(model: Model, x: Tensor, found: Tensor, y: Tensor, norm: str = "l2") -> Tensor:
    """The distance of what an attack returned, `(N,)`: `+inf` where it is no success.

    The returned point is cut to [0,1] and run through the model as given. The unchanged input is no
    success, since it is predicted as before, nor is a black image, which is how foolbox says that
    it found nothing.
    """
    found = found.nan_to_num(0).clamp(0, 1)
    with torch.no_grad():
        flipped = checked_logits(model, found).argmax(dim=1) != y
    success = flipped & (found != 0).flatten(1).any(dim=1)
    return torch.where(success, NORMS[norm].length((found - x).flatten(1)), torch.inf)


def _passes(who: Contestant, model: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Seconds an image that a pass costs on the model and on the twin our attacks use."""
    if who.ours is None:
        return 0.0, 0.0
    with frozen(model):
        return _pass(model, x, y), _pass(folded(model, x), x, y)


@torch.enable_grad()
def _pass(model: Model, x: Tensor, y: Tensor) -> float:
    x = x.clone().requires_grad_()
    seconds = []
    for _ in range(PASSES + 1):
        start = process_time()
        torch.autograd.grad(margin(model(x.clone()), y).sum(), x)
        seconds.append(process_time() - start)
    return sum(seconds[1:]) / (PASSES * len(x))  # the first one was to warm up


@dataclass(frozen=True)
class Cache:
    """Measurements on disk, one file each, so that a killed run goes on where it was."""

    folder: Path
    run: str

    def measured(self, who: Contestant, where: Setting, batch: int, size: int) -> Measurement:
        """The measurement of one batch of at most `size` images, made now if it is not there."""
        x = where.images[batch * size : (batch + 1) * size]
        path = self.path(who, where, size, f"{batch:03d}-of-{len(x)}")
        if not path.exists():
            new = measure(who, where.model, x, count=batch == 0, run=self.run)
            about = asdict(replace(new, distance=torch.empty(0)))
            del about["distance"]
            save_tensors(path, {"distance": new.distance}, **about)
        tensors, about = load_tensors(path)
        return Measurement(distance=tensors["distance"], **about)

    def path(self, who: Contestant, where: Setting, size: int, name: str) -> Path:
        """Where a measurement lies: changed settings, code or versions are another place."""
        what = json.dumps([who.of, who.call, torch.__version__, torch.get_num_threads()])
        key = sha256(what.encode()).hexdigest()[:12]
        inputs = sha256(where.ids.numpy().tobytes()).hexdigest()[:12]
        place = f"{where.name}-{where.fingerprint}-{inputs}-{size}"
        return self.folder / place / f"{who.name}-{key}" / f"{name}.safetensors"
