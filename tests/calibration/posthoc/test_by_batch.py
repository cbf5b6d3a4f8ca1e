"""A temperature for every batch: each batch is what `BatchTemperature` makes of it alone."""

import pytest
import torch

from arcal.calibration.posthoc import CALIBRATORS, POSTHOC, TemperatureByBatch, fit_by_batch
from arcal.errors import ArcalError


@pytest.fixture(scope="module")
def logits():
    return 4 * torch.randn(4000, 5, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def by_batch(logits):
    draw = torch.Generator().manual_seed(4)
    return fit_by_batch(
        logits.log_softmax(1), (logits / 2).softmax(1).multinomial(1, generator=draw)[:, 0]
    )


def test_a_batch_has_the_temperature_that_it_asks_for_alone(logits, by_batch):
    log_p = (logits[:70] / 2).log_softmax(1).double()
    T = by_batch.today.estimate(log_p).T
    assert torch.allclose(by_batch(log_p), (log_p / T).log_softmax(1))


def test_every_input_is_in_one_batch_and_keeps_its_prediction(logits, by_batch):
    log_p = logits[:250].log_softmax(1)
    calibrated = by_batch(log_p)
    assert torch.equal(calibrated.argmax(1), log_p.argmax(1))
    assert torch.allclose(calibrated.exp().sum(1), torch.ones(250, dtype=torch.float64))
    T = (log_p[:, 0] - log_p[:, 1]).double() / (calibrated[:, 0] - calibrated[:, 1])
    assert len(T.round(decimals=6).unique()) == 3  # 100, 100 and 50


def test_it_is_only_for_evaluation():
    assert TemperatureByBatch.kind not in POSTHOC
    assert TemperatureByBatch.kind not in CALIBRATORS


def test_no_batch_is_refused(by_batch):
    with pytest.raises(ArcalError, match="a batch of 0 inputs"):
        TemperatureByBatch(by_batch.today, batch=0)
