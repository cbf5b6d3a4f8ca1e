"""What an audit costs beyond scoring every input and the forward passes.

    python -m benchmarks.audit_speed --data PATH --weights PATH --images 10000

Audits a third-party ResNet-20 on CIFAR-10's test images and, in the same process, does only what an
audit cannot do without: the attack on every image, a forward pass of every image as it is and under
each corruption. Prints both in seconds and their ratio, which should be at most 1.15.
"""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import tyro
from torch import nn

from arcal import score
from arcal.attacks import frozen
from arcal.audits import PANEL, Audit, Examples, Job, Settings, run_jobs
from arcal.compute.processes import keep_memory
from arcal.data import as_input, load_test
from benchmarks.networks import resnet20

BATCH = 100


def main(data: str, weights: Path, images: int = 10_000, threads: int = 2) -> None:
    """Print the seconds of the floor, of the audit, and their ratio."""
    keep_memory()
    torch.set_num_threads(threads)
    model = resnet20(weights)
    examples = Examples.from_part(load_test(data)).first(images)
    run_audit(model, examples.first(min(images, 200)))  # what is imported and built once
    floor = {"scoring": timed(lambda: attacked(model, examples))}
    floor["forward passes"] = timed(lambda: answered(model, examples, 1 + len(PANEL)))
    audit = timed(lambda: run_audit(model, examples))
    for name, seconds in floor.items():
        print(f"{name}: {seconds:.1f} s")
    whole = sum(floor.values())
    print(f"audit of {len(examples)} images: {audit:.1f} s, {audit / whole:.3f} of the floor")


def timed(work: Callable[[], object]) -> float:
    """The seconds that work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def attacked(model: nn.Module, examples: Examples) -> None:
    """The attack alone, on every image."""
    part = examples.part
    assert part is not None
    batches = (
        (part.ids[i], as_input(part.images(i), "cpu"), part.labels[i])
        for i in torch.arange(len(part)).split(BATCH)
    )
    score(model, batches)


@torch.no_grad()
def answered(model: nn.Module, examples: Examples, times: int) -> None:
    """`times` forward passes of every image."""
    assert examples.part is not None
    with frozen(model):
        for i in torch.arange(len(examples)).split(BATCH):
            x = as_input(examples.part.images(i), "cpu")
            for _ in range(times):
                model(x)


def run_audit(model: nn.Module, examples: Examples) -> None:
    """Everything that `arcal audit` does, including the page."""
    job = Job("resnet20", model, examples, settings=Settings(panel=PANEL))
    with TemporaryDirectory() as folder:
        out = Path(folder)

        def page(models, done, total):
            Audit.from_jobs([job], models, of=total).report(out)

        models = run_jobs([job], work=out / ".work", page=page)
        Audit.from_jobs([job], models).report(out)


if __name__ == "__main__":
    tyro.cli(main)
