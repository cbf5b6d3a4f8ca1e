"""The pictures of attacked images, and the rank correlation beside them."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from arcal.report.images import amplification, least_robust, most_robust, scatter, spearman

CLASSES = ("shirt", "coat", "$bag", "a name that is far too long")


@pytest.mark.parametrize(
    ("size", "factor"), [(0.2, 2), (0.1, 5), (0.04, 10), (0.0011, 200), (0.9, 1), (0.0, 1)]
)
def test_amplification_is_round_and_fills_half_the_range(size, factor):
    assert amplification(torch.full((2, 1, 4, 4), size)) == factor


def test_failed_attacks_do_not_count_in_the_amplification():
    perturbations = torch.full((2, 1, 4, 4), 0.1)
    perturbations[1] = torch.nan
    assert amplification(perturbations) == 5
    assert amplification(perturbations[1:]) == 1


def test_a_sparse_perturbation_is_amplified_by_what_it_changes():
    sparse = torch.zeros(1, 3, 32, 32)
    sparse[0, 0, 0, 0] = -0.1
    assert amplification(sparse) == 5


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_galleries_show_both_ends_and_say_where_the_attack_failed(maker):
    shown = maker.showcase(maker.subject(), n=20, failed=2)
    least, most = (texts(draw(shown, CLASSES)) for draw in (least_robust, most_robust))
    assert sum("distance" in text for text in least) == 8
    assert f"distance {float(shown.distance[0]):.3g}" in "".join(least)
    assert most.count("attack\nfailed") == 4
    assert sum("no other class" in text for text in most) == 2
    assert not any("far too long" in text for text in least + most)


def test_galleries_take_few_and_coloured_images(maker):
    coloured = dataclasses.replace(maker, shape=(3, 8, 8))
    shown = coloured.showcase(coloured.subject(), n=3, failed=0)
    assert sum("distance" in text for text in texts(least_robust(shown, CLASSES))) == 3


def test_the_scatter_shows_failed_attacks_above_all_others(maker):
    shown = maker.showcase(maker.subject(), n=30, failed=3)
    (axes,) = scatter(shown, "gradient").axes
    succeeded, failed = (np.asarray(points.get_offsets()) for points in axes.collections)
    assert (len(succeeded), len(failed)) == (27, 3)
    assert failed[:, 1].min() > succeeded[:, 1].max()
    rho = spearman(shown.estimate, shown.distance)
    assert f"ρ = {rho:.2f}" in axes.get_title() + axes.get_title(loc="left")


def test_the_scatter_survives_attacks_that_all_failed(maker):
    shown = maker.showcase(maker.subject(), n=5, failed=5)
    (axes,) = scatter(shown, "margin").axes
    assert math.isfinite(axes.get_ylim()[1])


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.integers(0, 5)] * 2), min_size=3, max_size=30))
def test_spearman_is_scipys(pairs):
    a, b = torch.tensor(pairs, dtype=torch.float64).T
    if len(set(a.tolist())) == 1 or len(set(b.tolist())) == 1:
        assert np.isnan(spearman(a, b))
    else:
        assert spearman(a, b) == pytest.approx(spearmanr(a, b)[0], abs=1e-12)


def test_spearman_ranks_what_is_infinite_highest():
    distance = torch.tensor([0.1, 0.2, torch.inf, 0.3])
    assert spearman(distance, torch.tensor([1.0, 2.0, 9.0, 3.0])) == pytest.approx(1)
