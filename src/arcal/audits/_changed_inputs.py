"""A job on changed inputs: images averaged with their mirror images, or perturbed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256

import torch
from torch import Tensor, nn

from arcal.auditing import INTENSITIES, EvaluationSet
from arcal.audits._examples import Examples
from arcal.audits._job import Job, panel_for
from arcal.audits.engine import Reopen
from arcal.calibration.posthoc import Mirrored
from arcal.data import as_input
from arcal.errors import ArcalError
from arcal.orders import random_order
from arcal.transforms import corrupt
from arcal.transforms.corruptions import EXTRA


def with_views(job: Job) -> Job:
    """The job with a model that averages an image and its mirror image.

    A model that is not a module, or inputs that are not images, raise `ArcalError`.
    """
    if job.examples is None or job.examples.kind != "images":
        raise ArcalError("--views mirror is for images: leave it out for other data")
    if not isinstance(job.model, nn.Module):
        raise ArcalError(
            f"{job.name} is a function, and --views needs a torch module: name one, or leave it out"
        )
    return replace(
        job,
        model=Mirrored(job.model),
        fingerprint=f"{job.fingerprint} mirrored",
        reopen=job.reopen and partial(_reopened, with_views, job.reopen),
    )


def with_perturbed(job: Job) -> Job:
    """The job with its images `perturbed`."""
    assert job.examples is not None
    reopen = job.reopen and partial(_reopened, with_perturbed, job.reopen)
    return replace(job, examples=perturbed(job.examples), reopen=reopen)


def _reopened(change: Callable[[Job], Job], reopen: Reopen, device: torch.device) -> Job:
    return change(reopen(device=device))


def perturbed(examples: Examples) -> Examples:
    """Every image under one of the four extra corruptions at one of five intensities.

    Types and intensities are dealt out evenly in an order drawn by id, so a second call gives the
    same. The extra types are those reserved for choosing; the other 15 stay for a test. Inputs that
    cannot be corrupted raise `ArcalError`.
    """
    panel_for([EvaluationSet(corruption=EXTRA[0], intensity=1)], examples)
    part, ids = examples.part, examples.ids
    assert part is not None
    kinds = [(type, intensity) for type in EXTRA for intensity in INTENSITIES]
    drawn = random_order(ids, seed=1).argsort().argsort() % len(kinds)

    def read(positions: Tensor) -> Tensor:
        images = part.images(positions)
        changed = torch.empty(images.shape, device="cpu")
        for number in drawn[positions].unique().tolist():
            which = drawn[positions] == number
            type, intensity = kinds[number]
            some = corrupt(images[which], ids[positions][which], type=type, intensity=intensity)
            changed[which] = as_input(some, "cpu")
        return changed

    content = sha256(f"{examples.content} perturbed".encode()).hexdigest()[:16]
    return replace(examples, read=read, part=None, content=content)
