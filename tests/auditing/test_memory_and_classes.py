"""An audit has few numbers a class and input in memory: no copies of the whole matrix."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from arcal.auditing import Audited, Predictions, choose_calibrator, without_zeros
from arcal.auditing._halves import posthoc_on_halves
from arcal.auditing._overall import overall
from arcal.calibration.posthoc import POSTHOC, calibration_set

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


@pytest.mark.parametrize("name", sorted({*POSTHOC} - {"dirichlet"}))
def test_what_is_fitted_needs_few_matrices_however_many_steps_it_takes(predictions, name):
    log_p, energy = predictions.log_probabilities, predictions.energy
    with Matrices() as matrices:
        POSTHOC[name](log_p, predictions.labels, energy=energy)
    assert matrices.made <= 6


def test_vector_scaling_of_much_is_left_out_unless_it_is_named(predictions, monkeypatch):
    few = predictions.rows(torch.arange(600))
    monkeypatch.setattr("arcal.auditing._choice.VECTOR_NUMBERS", 600 * Z - 1)
    monkeypatch.setattr(
        "arcal.auditing._choice.usual_names", lambda classes, answers: ["temperature", "vector"]
    )
    choice = choose_calibrator(few, resamples=2)
    assert "600 x 200" in choice.refused["vector"]
    assert set(choice.candidates) == {"temperature"}
    named = choose_calibrator(few, calibrators=["vector"], resamples=2)
    assert set(named.candidates) == {"vector"}


@pytest.mark.slow
def test_calibrators_are_chosen_with_few_matrices_and_one_temperature_a_part(
    predictions, monkeypatch
):
    searches, search = [], calibration_set.best_temperature
    monkeypatch.setattr(
        calibration_set, "best_temperature", lambda *given: searches.append(1) or search(*given)
    )
    names = [name for name in POSTHOC if name not in ("dirichlet", "vector")]
    with Matrices() as matrices:
        choice = choose_calibrator(copied(predictions), calibrators=names, resamples=2)
    assert len(choice.candidates) == len(names)
    assert len(searches) == 6
    assert matrices.made <= 20
