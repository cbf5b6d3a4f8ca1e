"""An audit has few numbers a class and input in memory: no copies of the whole matrix."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from arcal.auditing import Audited, Predictions, without_zeros
from arcal.auditing._halves import posthoc_on_halves
from arcal.auditing._overall import overall

N, Z = 5_000, 200


class Matrices(TorchDispatchMode):
    """Counts the tensors that are made of as many bytes as half of all probabilities."""

    def __init__(self):
        super().__init__()
        self.made = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        given = {one.data_ptr() for one in _storages((args, kwargs))}
        self.made += sum(
            one.nbytes() >= 8 * N * Z // 2 and one.data_ptr() not in given
            for one in _storages(made)
        )
        return made


def _storages(values):
    return [one.untyped_storage() for one in tree_leaves(values) if isinstance(one, torch.Tensor)]


@pytest.fixture(scope="module")
def predictions():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(N, Z, generator=generator)
    z[torch.arange(N), torch.arange(N) % Z] += 6 * torch.rand(N, generator=generator)
    labels = z.softmax(1).multinomial(1, generator=generator)[:, 0]
    return Predictions(torch.arange(N), labels, 1.5 * z[None])


def copied(predictions):
    return Predictions(predictions.ids, predictions.labels, predictions.logits)


def test_the_figures_of_all_inputs_need_no_second_matrix(predictions):
    with Matrices() as matrices:
        given, _ = without_zeros(copied(predictions))
        overall(given, resamples=2)
        one = Audited("mine", given, tuple(map(str, range(Z))), calibrators=False)
        assert len(one.inputs["id"]) == N
        assert given.energy.any()
    assert matrices.made == 0


def test_an_audits_calibrators_share_few_matrices(predictions):
    with Matrices() as matrices:
        shown = posthoc_on_halves(copied(predictions), resamples=2)
    assert len(shown.outcomes) == 4
    assert matrices.made <= 12
