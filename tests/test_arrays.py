"""Arrays and lists in the place of tensors give what tensors give."""

from hashlib import sha256

import numpy as np
import pytest
import torch

import arcal
from arcal import AdaptiveLabelSmoothing, ArcalError
from arcal import calibration as c
from arcal.arrays import as_tensor, digest_state
from arcal.calibration.posthoc import POSTHOC
from arcal.ranks import rank
from arcal.robustness import score

N, Z, R = 60, 3, 4
DRAW = np.random.default_rng(0)
LOGITS = DRAW.normal(size=(N, Z)) * 2
P = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
LABELS = np.where(DRAW.random(N) < 0.6, P.argmax(1), DRAW.integers(Z, size=N))
CONFIDENCE, CORRECT = P.max(axis=1), P.argmax(1) == LABELS
IDS, ROBUSTNESS = DRAW.permutation(N), DRAW.random(N)
LEVELS = DRAW.integers(R, size=N)
RUNS = np.stack([P.argmax(1), LABELS])

MEASURES = {
    "ece": (c.ece, CONFIDENCE, CORRECT),
    "reliability": (lambda a, b: c.Reliability().update(a, b).count, CONFIDENCE, CORRECT),
    "class_wise_ece": (c.class_wise_ece, P, LABELS),
    "class_wise": (lambda p, y: c.ClassWise(Z).update(p, y).per_class, P, LABELS),
    "confidence": (lambda p, y: c.confidence_and_correct(p, y)[0], P, LABELS),
    "nll": (c.nll, np.log(P), LABELS),
    "brier": (c.brier, P, LABELS),
    "entropy": (c.entropy, np.log(P)),
    "auroc": (c.auroc, CONFIDENCE, ROBUSTNESS),
    "equal_mass": (c.equal_mass_ece, CONFIDENCE, CORRECT),
    "debiased": (c.debiased_ece, CONFIDENCE, CORRECT),
    "smooth": (c.smooth_ece, CONFIDENCE, CORRECT),
    "mean_by_level": (lambda v, s: c.mean_by_level(v, s, R), CONFIDENCE, LEVELS),
    "by_level": (lambda a, b, s: c.by_level(a, b, s, R).gap, CONFIDENCE, CORRECT, LEVELS),
    "histogram": (
        lambda a, b, s, y: c.by_level(a, b, s, R, labels=y).class_histogram,
        CONFIDENCE, CORRECT, LEVELS, LABELS,
    ),
    "average": (c.average, np.stack([LOGITS, LOGITS + 1])),
    "churn": (c.churn, RUNS),
    "variance": (lambda p: c.variance(p).own_maximum_per_input, np.stack([P, P[:, ::-1]])),
    "bootstrap": (lambda a, b: c.bootstrap(c.ece, a, b, resamples=3).samples, CONFIDENCE, CORRECT),
    "bootstrap_ece": (lambda a, b: c.bootstrap_ece(a, b, resamples=3).samples, CONFIDENCE, CORRECT),
    "by_group": (
        lambda a, b, g: c.bootstrap_ece_by_group(a, b, g, R, resamples=3)[0],
        CONFIDENCE, CORRECT, LEVELS,
    ),
    "interval": (lambda n: c.clopper_pearson(n, 2 * np.asarray(n))[1], LEVELS),
    "robust_accuracy": (lambda d, b: c.robust_accuracy(d, b).accuracy, ROBUSTNESS, CORRECT),
    "rank": (arcal.rank, ROBUSTNESS, IDS),
    "levels": (lambda d, i: arcal.levels(d, i, R), ROBUSTNESS, IDS),
    "mean_rank": (arcal.mean_rank, np.stack([ROBUSTNESS, CONFIDENCE]), IDS),
}  # fmt: skip


def same(value, expected):
    """Up to the order of sums, which kernels choose also by where an array begins in memory."""
    torch.testing.assert_close(
        torch.as_tensor(value), torch.as_tensor(expected), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("kind", ["arrays", "lists"])
def test_measures(name, kind):
    measure, *arrays = MEASURES[name]
    given = arrays if kind == "arrays" else [array.tolist() for array in arrays]
    same(measure(*given), measure(*(torch.from_numpy(array.copy()) for array in arrays)))


@pytest.mark.parametrize("name", POSTHOC)
def test_calibrators(name):
    log_p, energy = np.log(P), -np.log(np.exp(LOGITS).sum(axis=1))
    tensors = torch.from_numpy(log_p), torch.from_numpy(LABELS)
    fit = POSTHOC[name]
    expected = fit(*tensors, energy=torch.from_numpy(energy))
    given = fit(log_p.tolist(), LABELS, energy=energy)
    for one, other in zip(given.buffers(), expected.buffers(), strict=True):
        same(one, other)
    q = given(log_p, energy=energy.tolist())
    same(q, expected(tensors[0], energy=torch.from_numpy(energy)))


def test_soft_labels():
    given, expected = (AdaptiveLabelSmoothing(Z, R, alpha=0.5) for _ in range(2))
    given.assign("validation", IDS.tolist(), LEVELS)
    expected.assign("validation", torch.from_numpy(IDS), torch.from_numpy(LEVELS))
    given.update(CONFIDENCE, CORRECT.tolist(), IDS)
    expected.update(*map(torch.from_numpy, (CONFIDENCE, CORRECT, IDS)))
    same(given.soft_label, expected.soft_label)
    assert given.soft_label.min() < 1


@pytest.mark.parametrize("dtype", ["float32", "float16", ">f8", "int8", "uint16", "bool"])
def test_arrays_of_every_kind(dtype):
    array = np.array([0, 1, 1]).astype(dtype)
    assert as_tensor(array).tolist() == array.tolist()
    assert as_tensor(np.asarray(array)[::-1]).tolist() == array.tolist()[::-1]
    array.setflags(write=False)
    assert as_tensor(array).tolist() == array.tolist()
    assert as_tensor(array, copied=False).tolist() == array.tolist()
    assert as_tensor(np.asarray(array)[::-1], copied=False).tolist() == array.tolist()[::-1]


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_unsigned_numbers_of_a_loader_are_whole_numbers_like_others(dtype):
    """A tensor of numpy's; torch itself can neither add nor compare them."""
    ids, labels = (torch.from_numpy(np.array(some, dtype)) for some in ([7, 5], [0, 1]))
    assert as_tensor(ids).dtype == torch.int64
    result = score(torch.nn.Identity(), [(ids, torch.rand(2, 2), labels)], "margin")
    assert (result.ids.tolist(), result.labels.tolist()) == ([7, 5], [0, 1])
    assert rank(np.array([0.5, 0.5]), ids).tolist() == [1, 0]


def test_an_array_in_a_mapped_file_is_not_read_unless_copied(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 2), np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert as_tensor(mapped, copied=False).data_ptr() == mapped.ctypes.data
    assert as_tensor(mapped).data_ptr() != mapped.ctypes.data


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["cat"], "must be numbers, not text"),
        (np.ma.masked_greater([0.1, 9.0], 1), "is masked in places"),
        (torch.ones(1).to_sparse(), "a tensor torch.float32, torch.sparse_coo"),
        (torch.ones(1).to(torch.complex64), "a tensor torch.complex64"),
        ([[1], [1, 2]], "is not an array"),
        (np.array(["cat"], dtype=object), "must be numbers, not text"),
        ([torch.ones((), dtype=torch.bfloat16)], "is not an array"),
        ([None], "must be numbers"),
        ({"a": 1}, "must be numbers"),
        (np.array([2**63], np.uint64), r"and the largest possible is 2\*\*63 - 1"),
        (torch.tensor([2**63], dtype=torch.uint64), r"has 9223372036854775808, and the largest"),
    ],
)
def test_what_is_no_array_is_one_line(values, says):
    with pytest.raises(ArcalError, match=says) as caught:
        c.ece(values, np.array([True]))
    assert "\n" not in str(caught.value)


class Stateful(torch.nn.Linear):
    def get_extra_state(self):
        return {"steps": 3}


def test_the_digest_of_a_state_is_of_its_tensors():
    def digest(model):
        found = sha256()
        digest_state(found, model)
        return found.hexdigest()

    torch.manual_seed(0)
    model = Stateful(2, 2)
    before = digest(model)
    assert before != sha256().hexdigest() == digest(lambda x: x)
    with torch.no_grad():
        model.bias.add_(1)
    assert digest(model) != before
