"""A temperature by unlabelled inputs: against a solver, a known truth, and its intervals."""

import pytest
import torch
from posthoc_examples import draw
from torch import Tensor

from arcal.calibration import confidence_and_correct, ece
from arcal.calibration.posthoc import BatchTemperature, fit_batch_temperature, fit_temperature
from arcal.errors import ArcalError


def halved(log_p: Tensor, target: float, low: float, high: float) -> float:
    """The temperature of a mean confidence, by halving."""
    for _ in range(60):
        T = (low * high) ** 0.5
        above = (log_p / T).softmax(1).amax(1).mean().item() > target
        low, high = (T, high) if above else (low, T)
    return low


def harder(N: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Inputs of smaller logits, three in ten of which have any label: the model is too sure."""
    generator = torch.Generator().manual_seed(seed)
    z = 3 * torch.randn(N, 5, generator=generator, dtype=torch.float64)
    labels = (z / 2).softmax(1).multinomial(1, generator=generator)[:, 0]
    noisy = torch.rand(N, generator=generator) < 0.3
    return z.log_softmax(1), torch.where(noisy, torch.randint(5, (N,), generator=generator), labels)


@pytest.fixture(scope="module")
def calibrated() -> BatchTemperature:
    return fit_batch_temperature(*draw(N=5000))


def fresh(**options) -> BatchTemperature:
    return fit_batch_temperature(*draw(N=5000), **options)


def test_the_threshold_reproduces_the_validation_accuracy(calibrated):
    log_p, labels = draw(N=5000)
    right = (log_p.argmax(1) == labels).double().mean().item()
    today = calibrated.estimate(log_p)
    assert today.accuracy == pytest.approx(right, abs=1e-12)
    assert calibrated.accuracy == pytest.approx(right)
    assert fit_temperature(log_p, labels).T.item() == pytest.approx(calibrated.T)
    assert pytest.approx(calibrated.T, rel=0.1) == today.T


def test_mean_confidence_is_the_shrunk_estimate(calibrated):
    log_p, _ = harder(400)
    today = calibrated.estimate(log_p)
    target = (400 * today.accuracy + 25 * today.confidence) / 425
    confidence = (log_p / today.T).softmax(1).amax(1).mean().item()
    assert confidence == pytest.approx(target, abs=1e-9)
    assert pytest.approx(halved(log_p, target, 0.2, 20), rel=1e-10) == today.T


def test_estimates_the_accuracy_of_harder_inputs_and_mends_what_they_say(calibrated):
    log_p, labels = harder(4000)
    right = (log_p.argmax(1) == labels).double().mean().item()
    today = calibrated.estimate(log_p)
    assert right < calibrated.accuracy - 0.1
    assert abs(today.accuracy - right) < 0.06 < today.confidence - right
    mended = fresh()
    mended.update(log_p)
    before, after = (ece(*confidence_and_correct(q.exp(), labels)) for q in (log_p, mended(log_p)))
    assert after < before / 2
    assert torch.equal(mended(log_p).argmax(1), log_p.argmax(1))


def test_intervals_hold_the_share_of_the_whole_population(calibrated):
    log_p, _ = draw(N=20_000, seed=9)
    whole = calibrated.estimate(log_p).accuracy
    batches = [calibrated.estimate(some) for some in log_p.split(100)]
    inside = sum(one.low <= whole <= one.high for one in batches) / len(batches)
    assert inside > 0.9
    assert all(0 <= one.low <= one.accuracy <= one.high <= 1 for one in batches)
    few, many = calibrated.estimate(log_p[:20]), calibrated.estimate(log_p[:2000])
    assert few.high - few.low > 3 * (many.high - many.low)


def test_a_single_logit_is_told_what_to_pass():
    fitted = fit_batch_temperature(torch.tensor([[0.9, 0.1]] * 4).log(), [0, 0, 0, 1])
    z = torch.tensor([[0.5], [2.0]])
    with pytest.raises(ArcalError, match="log-sigmoids of -z and z"):
        fitted.update(z.log_softmax(1))
    assert fitted.update(torch.cat([-z, z], 1).sigmoid().log()).n == 2


def test_a_moving_window_forgets():
    log_p, _ = harder(1000)
    easy, _ = draw(N=1000, seed=5)
    stream = fresh(window=300)
    last = [stream.update(batch) for batch in log_p.split(50)][-1]
    assert last.n == 300
    assert pytest.approx(fresh().estimate(log_p[-300:]).T, rel=1e-9) == last.T
    last = [stream.update(batch) for batch in easy.split(100)][-1]
    assert pytest.approx(fresh().estimate(easy[-300:]).T, rel=1e-9) == last.T
    assert stream.temperature.T.item() == last.T


def test_inputs_of_other_classes_are_doubted(calibrated):
    log_p, _ = draw(N=500, seed=4)
    assert calibrated.estimate(log_p).doubt is None
    unsure = (0.05 * log_p).log_softmax(1)
    assert "other classes altogether" in str(calibrated.estimate(unsure).doubt)
    assert calibrated.estimate(unsure).accuracy == 0


def test_bad_input_is_one_line(calibrated):
    log_p, labels = draw(N=100)
    with pytest.raises(ArcalError, match="all 100 validation inputs are classified correctly"):
        fit_batch_temperature(log_p, log_p.argmax(1))
    with pytest.raises(ArcalError, match="a batch of no inputs"):
        fresh().update(log_p[:0])
    with pytest.raises(ArcalError, match="pass a log-softmax"):
        calibrated.estimate(3 * log_p)
    with pytest.raises(ArcalError, match="window is 0"):
        fit_batch_temperature(log_p, labels, window=0)
    state = fresh().state_dict()
    del state["T"]
    with pytest.raises(ArcalError, match="there is no T: pass what state_dict gave"):
        BatchTemperature.from_state_dict(state)
    with pytest.raises(ArcalError, match="the batch has 3 classes and the validation inputs 5"):
        fresh().update(log_p[:, :3].log_softmax(1))
    with pytest.raises(ArcalError, match="the batch has 3 classes and the validation inputs 5"):
        fresh()(log_p[:, :3].log_softmax(1))


def test_scores_that_many_inputs_share():
    """Probabilities of a tree of two leaves, right as often as they say."""
    inputs = torch.arange(1000)
    sure = inputs < 550
    log_p = torch.where(sure[:, None], torch.tensor([0.9, 0.1]), torch.tensor([0.6, 0.4])).log()
    right = torch.where(sure, inputs % 10 != 0, inputs % 10 < 6)
    calibrated = fit_batch_temperature(log_p, (~right).long())
    today = calibrated.estimate(log_p)
    assert today.accuracy == pytest.approx(calibrated.accuracy, abs=1e-12) == 0.765
    assert today.low < 0.74
    assert 0.79 < today.high < 0.85
    assert calibrated.estimate(log_p[-450:]).accuracy < 0.6  # of the unsure leaf alone
    assert calibrated.estimate(log_p[:550]).accuracy == 1
