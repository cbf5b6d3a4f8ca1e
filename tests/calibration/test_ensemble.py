import math

import pytest
import torch

from arcal.calibration import average
from arcal.errors import ArcalError


def draw(M, dtype=torch.float64, scale=5.0):
    generator = torch.Generator().manual_seed(M)
    return scale * torch.randn(M, 50, 10, generator=generator, dtype=dtype)


def test_is_the_log_of_the_mean_probability():
    logits = draw(4)
    expected = torch.stack([member.softmax(1) for member in logits]).mean(0)
    torch.testing.assert_close(average(logits).exp(), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(average(logits), expected.log(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_one_member_is_its_log_softmax(dtype, scale):
    logits = draw(1, dtype, scale)
    expected = logits[0].double().log_softmax(-1)
    torch.testing.assert_close(average(logits), expected, rtol=1e-12, atol=1e-12)


def test_does_not_underflow():
    logits = torch.tensor([[[0.0, 2000.0]], [[0.0, 3000.0]]])
    assert average(logits)[0, 0].item() == pytest.approx(-2000 - math.log(2), rel=1e-14)


def test_an_impossible_class_stays_impossible():
    result = average(torch.tensor([[[0.0, 0.0, -math.inf]], [[0.0, 0.0, -math.inf]]]))
    assert result.exp().tolist() == [[0.5, 0.5, 0]]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_refuses_logits_that_are_not_numbers(bad):
    logits = draw(3)
    logits[1, 2, 3] = bad
    with pytest.raises(ArcalError, match="nan"):
        average(logits)


@pytest.mark.parametrize("shape", [(5, 3), (0, 5, 3), (3,)])
def test_refuses_wrong_shapes(shape):
    with pytest.raises(ArcalError, match=r"\(M, N, Z\)"):
        average(torch.zeros(shape))


def test_refuses_probabilities():
    p = torch.randn(2, 5, 3).softmax(-1)
    with pytest.raises(ArcalError, match="before the softmax"):
        average(p)
    assert torch.allclose(average(p.log()).exp(), p.double().mean(0), atol=1e-6)
