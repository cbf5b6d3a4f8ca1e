"""What all calibrators share: they are modules, and see robustness if they ask for it."""

import copy

import pytest
import torch
from posthoc_examples import draw, energy_of

from arcal.calibration.posthoc import (
    CALIBRATORS,
    POSTHOC,
    MultiClassIsotonic,
    OneVsAllIsotonic,
    Temperature,
    as_calibration_set,
    from_state,
)
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor

every_kind = pytest.mark.parametrize("kind", POSTHOC)


@pytest.fixture(scope="module")
def calibrators():
    log_p, labels = draw(N=500)
    return {kind: fit(log_p, labels, energy=energy_of(log_p)) for kind, fit in POSTHOC.items()}


def applied(calibrator, log_p):
    return calibrator(log_p, energy=energy_of(log_p))


@every_kind
def test_state_and_copy_are_the_calibrator_bit_for_bit(kind, calibrators):
    calibrator, (fresh, _) = calibrators[kind], draw(N=100, seed=1)
    state = calibrator.state_dict()
    for twin in (from_state(kind, state), copy.deepcopy(calibrator)):
        assert all(torch.equal(value, state[name]) for name, value in twin.state_dict().items())
        assert torch.equal(applied(twin, fresh), applied(calibrator, fresh))
        assert repr(twin) == repr(calibrator)
        assert all(a is not b for a, b in zip(twin.buffers(), calibrator.buffers(), strict=True))


@every_kind
def test_a_row_does_not_depend_on_its_batch(kind, calibrators):
    fresh, _ = draw(N=20, seed=1)
    whole = applied(calibrators[kind], fresh)
    for i, row in enumerate(fresh.split(1)):
        again = applied(calibrators[kind], row)
        torch.testing.assert_close(again, whole[i : i + 1], rtol=1e-9, atol=1e-12)
    assert applied(calibrators[kind], fresh[:0]).shape == (0, 5)


@every_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_moved_to_fewer_bits_it_calculates_in_float32(kind, dtype, calibrators):
    fresh, _ = draw(N=1000, seed=1)
    moved = copy.deepcopy(calibrators[kind]).to(dtype)
    assert {value.dtype for value in moved.state_dict().values()} == {dtype}
    log_p = applied(moved, fresh)
    assert log_p.dtype == torch.float32
    apart = (log_p.exp() - applied(calibrators[kind], fresh).exp()).abs()
    assert apart.mean() < (1e-4 if dtype == torch.float32 else 1e-2)
    again = from_state(kind, moved.state_dict())
    assert torch.equal(applied(again, fresh), log_p)


@every_kind
def test_gradients_to_predictions_are_finite_differences(kind, calibrators):
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(8, 5, generator=generator, dtype=torch.float64)
    z.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: applied(calibrators[kind], z.log_softmax(1)), z)


@every_kind
def test_predictions_that_are_none_are_one_line(kind, calibrators):
    log_p, _ = draw(N=4)
    with pytest.raises(ArcalError, match="pass a log-softmax"):
        calibrators[kind](3 * log_p)
    with pytest.raises(ArcalError, match="is nan: leave out inputs"):
        calibrators[kind](log_p * torch.nan)
    with pytest.raises(ArcalError, match="log_p is a tensor on meta, without values"):
        calibrators[kind](log_p.to("meta"))
    with pytest.raises(ArcalError, match="log_p is on cpu and the calibrator on meta"):
        copy.deepcopy(calibrators[kind]).to("meta")(log_p)


ONE, TWO = torch.tensor([0.5]), torch.tensor([0.2, 0.4])


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Temperature(0.0), "T must be above 0, not 0"),
        (lambda: Temperature(torch.inf), "T holds nan or inf"),
        (lambda: Temperature(ONE), "T must be floating-point numbers of 0 dimensions"),
        (lambda: Temperature(torch.tensor(2)), "not torch.int64"),
        (lambda: MultiClassIsotonic(TWO[:0], TWO[:0]), "x must be floating-point numbers"),
        (lambda: OneVsAllIsotonic(1.0, TWO, TWO), "x must be .* of 2 dimensions"),
        (lambda: from_state("magic", {}), "kind 'magic' is unknown: those known are temperature"),
        (lambda: from_state("ets", {"T": ONE}), "is made of T, weights, not of T"),
    ],
)
def test_values_that_cannot_have_been_fitted_are_one_line(make, line):
    with pytest.raises(ArcalError, match=line):
        make()


@every_kind
def test_those_that_say_so_never_change_a_prediction(kind, calibrators):
    fresh, _ = draw(N=3000, seed=2)
    fresh[::3, 1] = fresh[::3, 3]  # ties
    fresh = fresh.log_softmax(1)
    after = applied(calibrators[kind], fresh)
    if CALIBRATORS[kind].keeps_order:
        assert torch.equal(after.argmax(1), fresh.argmax(1))
    torch.testing.assert_close(after.exp().sum(1), torch.ones(3000, dtype=torch.float64))


@every_kind
def test_a_class_that_cannot_be_stays_so(kind, calibrators):
    fresh, _ = draw(N=50, seed=3)
    fresh[:, 2] = -torch.inf
    fresh[7, 1:] = -torch.inf
    after = applied(calibrators[kind], fresh.log_softmax(1))
    assert after[:, 2].isneginf().all()
    assert after[7].exp().tolist() == pytest.approx([1, 0, 0, 0, 0])
    assert not after.isnan().any()


@every_kind
def test_a_class_that_cannot_be_leaves_gradients_finite(kind, calibrators):
    fresh, _ = draw(N=50, seed=3)
    fresh[:, 2] = -torch.inf
    fresh.requires_grad_()
    applied(calibrators[kind], fresh.log_softmax(1))[:, 0].sum().backward()
    assert fresh.grad is not None
    assert fresh.grad.isfinite().all()
    assert fresh.grad.any()


def test_energy_that_is_missing_or_of_other_inputs_is_one_line(calibrators):
    log_p, labels = draw(N=4)
    for energy, line in [
        (None, "ebs needs the energy of the logits of each input: pass energy="),
        (torch.ones(3), r"must be 4 floating-point numbers, .* shape \(3,\)"),
        (torch.tensor([1, 2, torch.nan, 3]), "energy of input 2 is nan"),
    ]:
        with pytest.raises(ArcalError, match=line):
            calibrators["ebs"](log_p, energy=energy)
        with pytest.raises(ArcalError, match=line):
            POSTHOC["ebs"](log_p, labels, energy=energy)


@every_kind
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_is_fitted_without_gradients_as_with_them(kind, mode, calibrators):
    with mode():
        log_p, labels = draw(N=500)
        there = POSTHOC[kind](log_p, labels, energy=energy_of(log_p))
    after = POSTHOC[kind](log_p, labels, energy=energy_of(log_p))
    for calibrator in (there, after):
        for one, expected in zip(calibrator.buffers(), calibrators[kind].buffers(), strict=True):
            assert torch.equal(one, expected)
    log_p = draw(N=5, seed=1)[0].requires_grad_()
    (slope,) = torch.autograd.grad(applied(there, log_p)[:, 0].sum(), log_p)
    assert slope.any()


def test_a_set_that_is_shared_changes_no_calibrator(calibrators):
    log_p, labels = draw(N=500)
    shared = as_calibration_set(log_p, labels)
    for kind, fit in POSTHOC.items():
        found = fit(shared, shared.labels, energy=energy_of(log_p))
        torch.testing.assert_close(applied(found, log_p), applied(calibrators[kind], log_p))
    with pytest.raises(ArcalError, match="labels and weights of a calibration set are its own"):
        POSTHOC["irm"](shared, labels)


@every_kind
@pytest.mark.parametrize("N", [25, 200])
def test_the_order_of_the_rows_does_not_count(kind, N):
    log_p, labels = draw(N=N)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(N))
    one = POSTHOC[kind](log_p, labels, energy=energy_of(log_p))
    other = POSTHOC[kind](log_p[order], labels[order], energy=energy_of(log_p[order]))
    assert torch.allclose(applied(one, log_p).exp(), applied(other, log_p).exp(), atol=1e-6)
