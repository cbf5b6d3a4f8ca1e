"""Attacked images of a run, kept in its folder as long as they are of the same question."""

from dataclasses import replace

import pytest
import torch

from arcal.errors import ArcalError
from arcal.evaluation import showcase_of_run
from arcal.training.run import model_of
from arcal.training.scoring import score_run


def test_images_from_one_end_of_the_ranking_to_the_other_flip_the_model(trained, copied):
    (run,), test = copied(trained.vanilla[:1]), trained.data.test
    scores = score_run(run, test, "test", "gradient")
    told = []
    shown = showcase_of_run(run, test, scores, N=6, progress=lambda *done: told.append(done))
    assert told == [(0, 6), (6, 6)]
    assert torch.equal(shown.estimate, shown.estimate.sort().values)
    assert shown.estimate[0] == scores.robustness.min()
    assert shown.estimate[-1] == scores.robustness.max()
    success = shown.distance.isfinite()
    assert success.any()
    moved = shown.adversarial[success]
    with torch.no_grad():
        becomes = model_of(run)(moved).argmax(dim=1)
    assert torch.equal(becomes, shown.becomes[success])
    assert (becomes != shown.predicted[success]).all()
    distance = (moved - shown.x[success]).flatten(1).norm(dim=1)
    torch.testing.assert_close(distance, shown.distance[success])
    assert shown.adversarial[~success].isnan().all()


def test_only_the_very_same_is_read_back(trained, copied):
    (run,), test = copied(trained.vanilla[:1]), trained.data.test
    scores = score_run(run, test, "test", "margin")
    file = run.path / "showcase.safetensors"

    def made_anew(**options):
        before = file.stat().st_mtime_ns if file.exists() else None
        shown = showcase_of_run(run, test, options.pop("scores", scores), **options)
        return shown, file.stat().st_mtime_ns != before

    first, made = made_anew(N=3)
    assert made
    again, made = made_anew(N=3)
    assert not made
    assert torch.equal(again.distance, first.distance)
    assert made_anew(N=2)[1]
    turned = replace(scores, robustness=-scores.robustness)
    shown, made = made_anew(N=2, scores=turned)
    assert made
    assert torch.equal(shown.estimate, shown.estimate.sort().values)
    with pytest.raises(ArcalError, match="not of tiny/validation"):
        showcase_of_run(run, trained.data.validation, scores)
