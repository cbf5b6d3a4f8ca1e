"""All figures on draws, against the measures one by one."""

import weakref

import pytest
import torch

from arcal.calibration import bootstrap, brier, confidence_and_correct, ece, nll, smooth_ece
from arcal.calibration.draws import drawn_counts, stored_counts
from arcal.calibration.resampled import resampled_scores, scores_of
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor

MEASURES = {
    "accuracy": lambda p, y: confidence_and_correct(p, y)[1].double().mean().item(),
    "confidence": lambda p, y: confidence_and_correct(p, y)[0].mean().item(),
    "gap": lambda p, y: MEASURES["confidence"](p, y) - MEASURES["accuracy"](p, y),
    "ece": lambda p, y: ece(*confidence_and_correct(p, y)),
    "smooth_ece": lambda p, y: smooth_ece(*confidence_and_correct(p, y)),
    "nll": lambda p, y: nll(p.log(), y),
    "brier": brier,
}


def drawn(n=300, Z=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, Z, generator=generator, dtype=torch.float64)
    return logits.softmax(1), torch.randint(Z, (n,), generator=generator)


@pytest.mark.parametrize("name", MEASURES)
def test_every_figure_has_the_draws_of_bootstrap(name):
    p, labels = drawn()
    ours = resampled_scores(scores_of([p.log()], labels), drawn_counts(300, 40, seed=2))[name]
    peer = bootstrap(MEASURES[name], p, labels, resamples=40, seed=2)
    assert ours.estimate == pytest.approx(peer.estimate, abs=1e-8)
    torch.testing.assert_close(ours.samples, peer.samples, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", MEASURES)
def test_weights_of_whole_numbers_are_repeated_rows(name):
    p, labels = drawn()
    weights = torch.arange(300) % 3
    draws = drawn_counts(300, 5, seed=0)
    ours = resampled_scores(scores_of([p.log()], labels), draws, weights=weights)[name]
    repeated = p.repeat_interleave(weights, 0), labels.repeat_interleave(weights)
    assert ours.estimate == pytest.approx(MEASURES[name](*repeated), abs=1e-8)


def test_a_label_of_probability_0_makes_the_loss_infinite_where_it_is_drawn():
    p = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    blocks = list(drawn_counts(3, 100, seed=0))
    loss = resampled_scores(scores_of([p.log()], torch.tensor([1, 0, 1])), blocks)["nll"]
    assert loss.estimate == torch.inf
    without = blocks[0][0] == 0
    assert loss.samples[~without].isinf().all()
    assert loss.samples[without].numpy() == pytest.approx(torch.tensor(2.0).log().item())


def test_no_inputs_are_refused():
    with pytest.raises(ArcalError, match="no inputs"):
        scores_of([torch.empty(0, 3)], torch.empty(0, dtype=torch.int64))


def test_draws_of_other_inputs_are_refused():
    p, labels = drawn()
    with pytest.raises(ArcalError, match="draws of 299 inputs for 300"):
        resampled_scores(scores_of([p.log()], labels), drawn_counts(299, 5, seed=0))


def test_one_block_of_draws_is_in_memory_at_a_time():
    """All 1,000 draws of a million inputs would be 8 GB."""
    p, labels = drawn(200)
    there = []

    def blocks():
        for _ in range(20):
            block = torch.ones(200, 3, dtype=torch.float64)
            there.append(weakref.ref(block))
            yield block
            del block
            assert sum(one() is not None for one in there) <= 1

    assert len(resampled_scores(scores_of([p.log()], labels), blocks())["ece"].samples) == 60
    assert len(there) == 20


def test_kept_draws_are_those_that_are_drawn():
    kept = list(stored_counts(100_000, 5, seed=3))
    assert [block.shape[1] for block in kept] == [2, 2, 1]
    assert all(block.dtype == torch.uint8 for block in kept)
    for block, counts in zip(kept, drawn_counts(100_000, 5, seed=3), strict=True):
        assert torch.equal(block.double(), counts)


def test_figures_are_nan_on_draws_of_inputs_without_weight_and_right_on_the_others():
    p = torch.tensor([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]], dtype=torch.float64)
    scores, draws = scores_of([p.log()], [0, 0, 0]), drawn_counts(3, resamples=300, seed=0)
    found = resampled_scores(scores, draws, weights=[0.0, 0.0, 2.0])
    for name, value in (("accuracy", 0.0), ("gap", 0.75), ("ece", 0.75), ("smooth_ece", 0.75)):
        samples = found[name].samples
        known = samples[~samples.isnan()]
        assert 150 < len(known) < 250  # a draw leaves one of three out in 8 of 27 cases
        assert torch.allclose(known, torch.tensor(value, dtype=torch.float64)), name
