"""A calibrated model of several tensors is a classifier like any other: audited, and called."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.export import Dim, export

import arcal

N, HALF = 600, 300


class Heads(nn.Module):
    def __init__(self, one):
        super().__init__()
        self.one = one

    def forward(self, image, numbers):
        logits = 4 * (image.flatten(1)[:, :3] + numbers)
        return logits if self.one else {"logits": logits, "age_logits": numbers}


def data(kind) -> tuple[Any, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    image, numbers = torch.rand(N, 1, 2, 2, generator=draws), torch.randn(N, 3, generator=draws)
    labels = (numbers + torch.randn(N, 3, generator=draws)).argmax(1)
    parts = {"image": image, "numbers": numbers}
    return (parts if kind is dict else tuple(parts.values())), labels


def rows(parts, some) -> Any:
    if isinstance(parts, dict):
        return {name: part[some] for name, part in parts.items()}
    return tuple(part[some] for part in parts)


@pytest.mark.parametrize("kind", [dict, tuple])
def test_a_calibrated_model_of_several_tensors_is_audited(kind):
    parts, labels = data(kind)
    model = Heads(one=False).eval()
    fit, new = slice(0, HALF), slice(HALF, None)
    calibration = arcal.calibrate(
        model, (rows(parts, fit), labels[fit]), calibrators=["temperature"]
    )
    audit = arcal.audit(calibration.classifier, (rows(parts, new), labels[new]), order=None)
    p = calibration.classifier.probabilities(rows(parts, new))
    own = Heads(one=True)(*rows((*parts.values(),) if kind is dict else parts, new))
    own = (own / calibration.calibrator.T).softmax(1)
    nll = -own[range(N - HALF), labels[new]].log().mean()
    torch.testing.assert_close(p, own.double(), atol=1e-6, rtol=0)
    assert audit.models[0].overall.nll.value == pytest.approx(float(nll), abs=1e-5)


@pytest.mark.parametrize("kind", [dict, tuple])
def test_the_program_of_a_function_takes_any_number_of_inputs(kind):
    parts, labels = data(kind)
    heads = Heads(one=False).eval()
    calibration = arcal.calibrate(
        lambda image, numbers: heads(image, numbers)["logits"],
        (parts, labels),
        calibrators=["temperature"],
    )
    free = {0: Dim("inputs")}
    shapes = dict.fromkeys(parts, free) if kind is dict else (free, free)
    some = rows(parts, slice(0, 4))
    program = export(calibration.classifier, (some,), dynamic_shapes=(shapes,)).module()
    torch.testing.assert_close(program(parts), calibration.classifier(parts))
