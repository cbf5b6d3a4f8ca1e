"""Attacked images of a run's test set, kept in its folder."""

from collections.abc import Callable
from hashlib import sha256

from arcal.attacks import BoundaryProjection, settings_of
from arcal.auditing import Showcase, attack_evenly
from arcal.data import Part
from arcal.robustness import Attack, Robustness
from arcal.store import RunFolder, load_header, load_tensors, save_tensors
from arcal.training.run import fingerprint_of, model_of

FORMAT = 2
"""Increased when more is kept of each image."""


def showcase_of_run(
    folder: RunFolder,
    part: Part,
    robustness: Robustness,
    *,
    N: int = 64,
    attack: Attack | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Showcase:
    """Attack `N` images spread evenly over the ranking, or read what the folder has of that.

    `robustness` is of `part` by the run's model. The first and the last are the ends of the
    ranking.

    >>> from dataclasses import replace
    >>> from arcal.training import RECIPES, Run, data_of, score_run, train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=replace(RECIPES["small"], epochs=1), **size)
    >>> folder = train(run, "runs")
    >>> test = data_of(folder).test
    >>> scores = score_run(folder, test, "test", "margin")
    >>> showcase = showcase_of_run(folder, test, scores, N=2)
    >>> showcase.x.shape, bool((showcase.estimate.diff() >= 0).all())
    (torch.Size([2, 1, 28, 28]), True)
    """
    attack = attack or BoundaryProjection()
    about = {
        "format": FORMAT,
        "model": fingerprint_of(folder),
        "data": part.fingerprint(),
        "order": robustness.order,
        "scores": sha256(robustness.robustness.double().numpy().tobytes()).hexdigest(),
        "N": N,
        "attack": settings_of(attack),
    }
    path = folder.path / "showcase.safetensors"
    if path.exists() and load_header(path) == about:
        progress(N, N)
        return Showcase(**load_tensors(path)[0])
    shown = min(N, len(part))
    progress(0, shown)
    showcase = attack_evenly(model_of(folder), part, robustness, attack, N)
    progress(shown, shown)
    save_tensors(path, vars(showcase), **about)
    return showcase
