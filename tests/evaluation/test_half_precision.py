"""Logits in half precision: half the bytes, the same classes, the bound of the docstring."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tiny_runs import NOISE

from arcal.auditing import CLEAN
from arcal.evaluation import evaluate
from arcal.evaluation.predictor import Predictor, halved, restored
from arcal.store import load_tensors

LOGITS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.floats(-(2.0**20), 2.0**20, width=32),
)


@given(LOGITS)
def test_the_first_of_the_largest_logits_stays_so(logits):
    z = torch.from_numpy(logits)
    kept = halved(z)
    assert torch.equal(restored(kept).argmax(-1), z.argmax(-1))
    assert torch.equal(kept["logits"].argmax(-1), z.argmax(-1)), "read without the largest, too"
    assert restored(kept).isfinite().all()


@given(LOGITS)
def test_a_difference_is_rounded_by_a_2048th_at_most(logits):
    z = torch.from_numpy(logits)
    below = z - z.amax(-1, keepdim=True)
    inside = (below > -65504) & (below < -(2.0**-14))
    error = (halved(z)["logits"].float() - below).abs()
    assert (error[inside] <= below[inside].abs() / 2048).all()


def test_masked_classes_and_logits_that_are_not_numbers_stay_so():
    z = torch.tensor([[3.0, -torch.inf, 1.0], [torch.nan, 1.0, 2.0], [-1e9, 0.0, -1e5]])
    back = restored(halved(z))
    assert back[0].tolist() == [3.0, -torch.inf, 1.0]
    assert back[1].isnan().any()
    assert back[2].tolist() == [-65504.0, 0.0, -65504.0], "of probability 0, but not impossible"


def test_evaluated_in_half_precision(trained, copied):
    whole, half = copied(trained.all), copied(trained.all, "half")
    expected = evaluate(whole, trained.data, [NOISE], "margin", posthoc=["temperature"])
    subjects = evaluate(
        half, trained.data, [NOISE], "margin", posthoc=["temperature"], half_precision=True
    )
    for mine, his in zip(subjects, expected, strict=True):
        for where in (CLEAN, NOISE):
            for a, b in zip(mine.measures[where].runs, his.measures[where].runs, strict=True):
                assert a["accuracy"] == b["accuracy"]
                assert a["nll"] == pytest.approx(b["nll"], rel=1e-3)
                assert a["nll"] != b["nll"], "figures are those of what is kept"
    for one, other in zip(whole, half, strict=True):
        for name in ("validation", "test", NOISE.name):
            before, after = (load_tensors(run.predictions(name))[0] for run in (one, other))
            assert after["logits"].dtype == torch.float16
            assert after["largest"].shape == (*before["logits"].shape[:2], 1)
            assert torch.equal(restored(after).argmax(2), before["logits"].argmax(2))
    again = evaluate(half, trained.data, [NOISE], "margin", posthoc=["temperature"])
    assert [one.measures for one in again] == [one.measures for one in subjects], "read, not made"


def test_workers_keep_them_so_too(trained, copied):
    (folder,) = copied(trained.vanilla[:1])
    sent = pickle.loads(pickle.dumps(Predictor(folder, half_precision=True)))
    sent(trained.data.test, "test")
    assert load_tensors(folder.predictions("test"))[0]["logits"].dtype == torch.float16
