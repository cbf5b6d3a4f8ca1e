"""Images of other data: AUROC and entropies, against scikit-learn and numpy."""

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score

from arcal.auditing import Predictions, out_of_distribution

Z = 3


def drawn(seed, N, sharpness):
    draw = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(1, N, Z, generator=draw)
    return Predictions(torch.arange(N), torch.arange(N) % Z, logits)


INSIDE, OUTSIDE = (
    [drawn(seed, N, sharpness) for seed in (0, 1)] for N, sharpness in ((40, 4), (70, 1))
)


def probabilities(predictions):
    return predictions.logits.double().softmax(dim=2).mean(dim=0).numpy()


def auroc(inside, outside):
    """By confidence and by entropy, of probabilities."""
    own = np.repeat([1, 0], [len(inside), len(outside)])
    both = np.concatenate([inside, outside])
    return roc_auc_score(own, both.max(1)), roc_auc_score(own, -entropy(both, axis=1))


def test_each_run_and_their_ensemble_tell_the_data_apart():
    other = out_of_distribution("cats", INSIDE, OUTSIDE, how="resized")
    assert (other.name, other.how, other.images) == ("cats", "resized", 70)
    for i, run in enumerate(other.runs):
        expected = auroc(probabilities(INSIDE[i]), probabilities(OUTSIDE[i]))
        assert (run.auroc_confidence, run.auroc_entropy) == pytest.approx(expected)
    averaged = (np.mean([probabilities(run) for run in runs], axis=0) for runs in (INSIDE, OUTSIDE))
    assert other.ensemble is not None
    together = (other.ensemble.auroc_confidence, other.ensemble.auroc_entropy)
    assert together == pytest.approx(auroc(*averaged))


def test_shares_of_images_by_entropy_are_numpys_histogram():
    other = out_of_distribution("cats", INSIDE, OUTSIDE)
    for shares, runs in ((other.inside, INSIDE), (other.outside, OUTSIDE)):
        for share, run in zip(shares, runs, strict=True):
            values = entropy(probabilities(run), axis=1)
            counts, _ = np.histogram(values, bins=50, range=(0, np.log(Z)))
            assert share.tolist() == pytest.approx(counts / len(run.ids))


def test_the_same_images_cannot_be_told_apart_and_one_run_has_no_ensemble():
    other = out_of_distribution("itself", INSIDE[:1], INSIDE[:1])
    (run,) = other.runs
    assert (run.auroc_confidence, run.auroc_entropy) == (0.5, 0.5)
    assert torch.equal(other.inside, other.outside)
    assert other.ensemble is None


@pytest.mark.parametrize("tenths", [(7, 2, 1), (6, 3, 1), (5, 4, 1)])
def test_entropies_of_the_same_probabilities_of_other_classes_are_a_tie(tenths):
    """Whatever rounding the order of a sum has."""
    log_p = (torch.tensor([*permutations(tenths)], dtype=torch.float64) / 10).log()
    every = Predictions(torch.arange(6), torch.zeros(6).long(), log_p[None])
    for i in range(6):
        one = Predictions(torch.arange(1), torch.zeros(1).long(), log_p[None, i : i + 1])
        assert out_of_distribution("permuted", [one], [every]).runs[0].auroc_entropy == 0.5
