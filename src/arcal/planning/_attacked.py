"""Plans to score or audit N inputs."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from arcal.attacks import BoundaryProjection, CarliniWagner, Inputs, Model, bound, frozen
from arcal.attacks.model import gradient_to
from arcal.auditing import Perturbed
from arcal.audits import Settings
from arcal.audits.blocks import SHOWN, Block, audit_block, score_block
from arcal.audits.engine import BLOCK, save_block
from arcal.compute import Compute
from arcal.errors import ArcalError
from arcal.labelled_batches import usual_batch
from arcal.planning._hardware import (
    HOUR,
    Hardware,
    Line,
    Plan,
    largest_bytes,
    operations,
    saved_bytes,
)
from arcal.robustness import Robustness
from arcal.store import save_scores
from arcal.transforms import corrupt

ROWS = 1_000_000
"""The most rows of the table of scores that is written to measure the bytes of a row."""

FLOAT = 4
"""Bytes of a float32."""

FEW = 2
"""The number of inputs for which a pass is counted."""

OF_SCORING, OF_AUDIT = 2, 4
"""Forward passes per input besides those of the attack: to predict and to verify the result; in an
audit also for the logits, and for the logits of the nearest input."""


@dataclass(frozen=True, eq=False)
class Attacked:
    """Some inputs of a model, and what is to be done with N of their kind.

    `x` are inputs `(n, ...)` to count and try with, random or from the data, with `labels` `(n,)`
    of Z `classes`. `passes` is the mean number of passes per input, if it is known, and `from_data`
    whether it can be measured on `x`. An `audit` also runs inputs under `settings.panel`.
    """

    model: Model
    x: Tensor | Inputs
    labels: Tensor
    classes: int
    settings: Settings
    passes: float | None = None
    from_data: bool = False
    audit: bool = False

    @property
    def batch(self) -> int:
        """Inputs run at a time."""
        return self.settings.batch or usual_batch(self.x, self.settings.device)

    @property
    def follows_gradients(self) -> bool:
        """Whether the order takes gradients to the inputs."""
        return self.settings.order in ("attack", "gradient")

    @property
    def forwards(self) -> int:
        """Forward passes per input, besides those of the attack or gradient and of the panel."""
        if self.settings.order != "attack":
            return int(self.audit or self.settings.order != "gradient")
        return OF_AUDIT if self.audit else OF_SCORING

    @cached_property
    def forward(self) -> float:
        """Operations of a forward pass, per input."""
        return _counted(self._forward) / FEW

    @cached_property
    def largest(self) -> float:
        """Bytes that the largest operation of a forward pass takes and gives, per input."""
        return largest_bytes(self._forward, self.weights) / FEW

    @cached_property
    def both(self) -> float:
        """Operations of a forward pass and the gradient to the input, per input."""
        model, x = self._few()

        def both() -> None:
            with frozen(model):
                leaf = x.clone().requires_grad_()
                gradient_to(leaf, model(leaf.clone()).amax(dim=1))

        return _counted(both) / len(x)

    @cached_property
    def saved(self) -> float:
        """Bytes that a forward pass keeps for its gradient, per input."""
        model, x = self._few()
        with frozen(model):
            forward = partial(model, x.clone().requires_grad_().clone())
            return saved_bytes(forward, self.weights) / len(x)

    @property
    def weights(self) -> list[Tensor]:
        """The model's parameters and buffers, as far as it is a module."""
        whole = self.model
        return [*whole.parameters(), *whole.buffers()] if isinstance(whole, nn.Module) else []

    @property
    def entries(self) -> int:
        """How many numbers of an input are perturbed."""
        return self._few()[1][0].numel()

    @cached_property
    def tried(self) -> Block | Robustness:
        """The results of a first batch, which is run here."""
        return self._run(slice(min(len(self.x), self.batch)))

    def measure(self, seconds: float) -> tuple[float, float]:
        """Run batches here for about `seconds`; returns their operations and the seconds taken."""
        done, spent = 0.0, 0.0
        rows = min(len(self.x), self.batch)
        _ = self.tried  # what a first batch does once is not timed
        while spent < seconds:
            start = time.perf_counter()
            block = self._run(slice(rows))
            spent += time.perf_counter() - start
            done += len(block.ids) * self.forwards * self.forward
            if self.follows_gradients and block.passes is not None:
                done += float(block.passes.sum()) * self.both
        return done, spent

    def spent(self, tries: bool) -> Line:
        """The line for passes per input: given, measured here on real inputs, or the most.

        With `tries`, inputs of the data are attacked here.
        """
        if self.settings.order == "gradient":
            return Line("passes", 1, "", "one gradient per input")
        if self.passes is not None:
            return Line("passes", self.passes, "", "given: the mean over inputs")
        attack, most = self.settings.attack, None
        if isinstance(attack, CarliniWagner):
            most = attack.search_steps * attack.iterations + (attack.initial_c == "gradient")
        elif isinstance(attack, BoundaryProjection) and not attack.starts_elsewhere(self.entries):
            most = attack.budget
        if most is None or (self.from_data and tries):
            passes = self.tried.passes
            assert passes is not None
            mean = float(passes.double().mean())
            return Line("passes", mean, "", f"the mean over {len(passes):,} inputs, tried here")
        return Line("passes", most, "", "the attack's budget; `arcal score` says how many it took")

    def corrupting(self) -> float:
        """Seconds that one core takes to corrupt an input in all the ways of the panel."""
        assert isinstance(self.x, Tensor)
        few = (255 * self.x[:8]).to(torch.uint8)
        ids = torch.arange(len(few), device="cpu")
        with Compute(threads=1).limited():
            start = time.perf_counter()
            for where in self.settings.panel:
                assert where.corruption is not None
                corrupt(few, ids, type=where.corruption, intensity=where.intensity)
            return (time.perf_counter() - start) / len(few)

    def block_bytes(self) -> float:
        """Bytes per input kept in blocks until all is done, measured on a file written here."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "block"
            if self.audit:
                save_block(path, self._empty_block(), {})
            else:
                save_scores(path, self._drawn_scores(BLOCK), {"files": {}})
            return path.stat().st_size / BLOCK

    def _empty_block(self) -> Block:
        """A block of an audit as it is kept, of zeros: bytes do not depend on the values."""
        numbers, order = torch.zeros(BLOCK, dtype=torch.long, device="cpu"), self.settings.order
        logits, attacks = torch.zeros(BLOCK, self.classes, device="cpu"), order == "attack"
        block = Block(
            numbers, numbers.clone(), logits, {w: logits.clone() for w in self.settings.panel}
        )
        if order is not None:
            block = replace(
                block, robustness=torch.zeros(BLOCK, device="cpu"), passes=numbers.clone()
            )
        if not attacks:
            return block
        block = replace(block, nearest=numbers.clone())
        if not isinstance(self.x, Tensor) or self.x.ndim not in (2, 4):
            return block
        images = self.x.ndim == 4
        parts = torch.arange(BLOCK, device="cpu").split(self.batch if images else BLOCK)
        n = sum(-(-len(part) // SHOWN) if images else len(part) for part in parts)
        inputs = torch.zeros(
            n, *self.x.shape[1:], dtype=torch.float16 if images else torch.float32, device="cpu"
        )
        perturbed = Perturbed(numbers[:n].clone(), inputs, logits[:n].clone())
        return replace(block, perturbed=perturbed)

    def row_bytes(self, rows: int) -> float:
        """Bytes per row of a table of scores with this many rows, written here to measure."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scores.parquet"
            save_scores(path, self._drawn_scores(rows), {})
            return path.stat().st_size / rows

    def _drawn_scores(self, rows: int) -> Robustness:
        generator = torch.Generator().manual_seed(0)

        def drawn(most: int) -> Tensor:
            return torch.randint(most, (rows,), generator=generator, device="cpu")

        attacks = self.settings.order == "attack"
        return Robustness(
            order=self.settings.order or "margin",
            ids=torch.arange(rows, device="cpu"),
            robustness=torch.rand(rows, generator=generator, device="cpu"),
            success=torch.ones(rows, dtype=torch.bool, device="cpu") if attacks else None,
            predicted=drawn(self.classes),
            labels=drawn(self.classes),
            passes=drawn(48),
        )

    def _run(self, rows: slice) -> Block | Robustness:
        ids = torch.arange(len(self.x), device="cpu")[rows]
        settings = replace(self.settings, panel=())
        run = audit_block if self.audit else score_block
        return run(self.model, ids, Inputs.of(self.x).rows(rows), self.labels[rows], settings)

    def _inputs(self) -> Inputs:
        """`FEW` of the inputs, some repeated if there are fewer."""
        few = torch.arange(FEW, device="cpu") % len(self.x)
        return Inputs.of(self.x).rows(few).to(self.settings.device)

    def _forward(self) -> None:
        with frozen(self.model), torch.no_grad():
            self.model(self._inputs().parts)

    def _few(self) -> tuple[Model, Tensor]:
        """These inputs, as a model of the tensor that is perturbed, and that tensor."""
        return bound(self.model, self._inputs())


def plan_attacked(
    title: str, job: Attacked, inputs: int, hardware: Hardware, devices: tuple[int, ...] = (1,)
) -> Plan:
    """Plan to score or audit this many inputs, for each of these numbers of devices.

    >>> from torch import nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10)).eval()
    >>> x, labels = torch.rand(8, 3, 8, 8), torch.zeros(8, dtype=torch.long)
    >>> job = Attacked(model, x, labels, 10, Settings())
    >>> plan = plan_attacked("score it", job, 1000, Hardware(flops=1e9))
    >>> plan["forward pass"], plan["passes"]  # 2 x 192 x 10; the attack's budget
    (3840.0, 48)
    """
    panel = len(job.settings.panel)
    lines = [Line("inputs", inputs, "", "given")]
    counted = "counted: 2 per multiply-add, per input"
    lines.append(Line("forward pass", job.forward, "FLOP", counted))
    formula, each = "", 0.0
    rate = hardware.rate(job.measure)
    if job.follows_gradients:
        lines.append(Line("pass", job.both, "FLOP", "counted: forward, and back to the input"))
        lines.append(job.spent(tries=hardware.is_here))
        formula, each = "passes x pass + ", lines[-1].value * job.both
    forwards = job.forwards + panel
    under = f" ({panel} of them under the panel)" if panel else ""
    lines.append(Line("forward passes", forwards, "", f"beside those, per input{under}"))
    whole = inputs * (each + forwards * job.forward)
    formula = f"inputs x ({formula}forward passes x forward pass)"
    lines += [Line("operations", whole, "FLOP", formula), *rate]
    hours = whole / rate[-1].value / HOUR
    lines.append(Line("device hours", hours, "h", "operations / rate of a device"))
    on = "device hours / {}"
    if panel:
        seconds = job.corrupting()
        cores = inputs * seconds / HOUR
        lines.append(
            Line("corrupting an input", seconds, "s", "measured on a core of this machine")
        )
        lines.append(
            Line("corrupting", cores, "h", "inputs x corrupting an input, beside a device")
        )
        hours, on = hours + cores, "(device hours + corrupting) / {}"
    for n in devices:
        lines.append(Line(f"time on {n:,}", hours / n, "h", on.format(f"{n:,}")))
    lines += _memory(job)
    lines += _disk(job, inputs)
    return Plan(title, lines)


def _memory(job: Attacked) -> list[Line]:
    weights = sum(t.untyped_storage().nbytes() for t in job.weights)
    first = Line("weights", weights, "B", "counted, buffers among them")
    batch = Line("inputs at a time", job.batch, "", "--batch")
    if not job.follows_gradients:
        counted = "counted: what it takes and gives, per input"
        formula = (
            "weights + inputs at a time x largest operation: what is kept beside it, as for a "
            "shortcut, and kernels' workspace are not in it"
        )
        memory = weights + job.batch * job.largest
        return [
            first,
            Line("largest operation", job.largest, "B", counted),
            batch,
            Line("memory of a device", memory, "B", formula),
        ]
    counted = "counted: tensors of a pass, per input"
    lines = [first, Line("kept for a gradient", job.saved, "B", counted), batch]
    attack = job.settings.attack
    planes = attack.classes if isinstance(attack, BoundaryProjection) else 4
    points = planes + 8
    entry = FLOAT * job.entries
    memory = 2 * weights + job.batch * (job.saved + points * entry)
    formula = (
        f"2 x weights + inputs at a time x (kept for a gradient + {points} x {entry:,} B): a "
        "faster twin, planes and points; kernels' workspace is not in it"
    )
    return [*lines, Line("memory of a device", memory, "B", formula)]


def _disk(job: Attacked, inputs: int) -> list[Line]:
    block = job.block_bytes()
    until = "" if job.audit else ": until it is done"
    running = [
        Line("a row while it runs", block, "B", "measured: a block written here"),
        Line("blocks", inputs * block, "B", f"inputs x a row while it runs{until}"),
    ]
    if job.audit:
        return running
    rows = min(inputs, ROWS)
    row = job.row_bytes(rows)
    return [
        Line("a row", row, "B", f"measured: a table of {rows:,} scores written here"),
        Line("scores", inputs * row, "B", "inputs x a row: the file that stays"),
        *running,
    ]


def _counted(function: Callable[[], object]) -> int:
    if not (counted := operations(function)):
        raise ArcalError(
            "no matrix product and no convolution of the model was counted, so nothing can be "
            "planned: give a network of torch operations"
        )
    return counted
