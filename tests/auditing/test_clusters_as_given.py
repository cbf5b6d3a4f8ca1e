"""`clusters=` of public functions: a list, an array and a tensor of numbers mean the same."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from arcal import ArcalError, auditing, audits, calibration
from arcal.auditing import as_predictions, shift_sets
from arcal.calibration.clusters import as_clusters
from arcal.calibration.selective import interval_of_aurc

N = 400
GENERATOR = torch.Generator().manual_seed(5)
LOG_P = (3 * torch.randn(N, 2, generator=GENERATOR)).log_softmax(1)
LABELS = (torch.rand(N, generator=GENERATOR) < LOG_P[:, 1].exp()).long()
SAID = as_predictions(logits=LOG_P, labels=LABELS)
OTHER = as_predictions(logits=LOG_P.flip(0), labels=LABELS)
PAIR = SAID.confidence, SAID.correct
CLUSTERS = [i // 4 for i in range(N)]
HALF = (torch.arange(N) // 4) % 2
(FOG,) = shift_sets(["fog-3"])
FEW: dict[str, Any] = {"resamples": 20}

CALLS: dict[str, Callable[[Any], Any]] = {
    "calibration.act_above": lambda of: calibration.act_above(*PAIR, 0.6, clusters=of),
    "calibration.aurc_interval": lambda of: calibration.aurc_interval(*PAIR, clusters=of),
    "calibration.bootstrap_ece_by_group": lambda of: calibration.bootstrap_ece_by_group(
        *PAIR, HALF, 2, clusters=of, **FEW
    ),
    "calibration.robust_accuracy": lambda of: calibration.robust_accuracy(
        *PAIR, [0.6, 0.8], clusters=of
    ),
    "auditing.acting": lambda of: auditing.acting(SAID.scores, clusters=of),
    "auditing.by_class": lambda of: auditing.by_class(SAID, "ab", clusters=of, **FEW),
    "auditing.by_group": lambda of: auditing.by_group(SAID, HALF, "ab", clusters=of, **FEW),
    "auditing.by_level": lambda of: auditing.by_level(
        SAID, SAID.confidence, R=2, clusters=of, **FEW
    ),
    "auditing.calibration_curve": lambda of: auditing.calibration_curve(*PAIR, clusters=of),
    "auditing.choose_calibrator": lambda of: auditing.choose_calibrator(
        SAID, calibrators=["temperature"], clusters=of, **FEW
    ),
    "auditing.class_probability": lambda of: auditing.class_probability(SAID, clusters=of, **FEW),
    "auditing.counts_if_calibrated": lambda of: auditing.counts_if_calibrated(SAID, clusters=of),
    "auditing.difference": lambda of: auditing.difference(SAID, OTHER, clusters=of, **FEW),
    "auditing.overall": lambda of: auditing.overall(SAID, clusters=of, **FEW),
    "auditing.posthoc_on_halves": lambda of: auditing.posthoc_on_halves(SAID, clusters=of, **FEW),
    "auditing.reliability": lambda of: auditing.reliability(SAID, clusters=of).count,
    "auditing.suspect_drift": lambda of: auditing.suspect_drift(
        LOG_P, LOG_P, "ab", clusters=(of, of)
    ),
    "auditing.under_shift": lambda of: auditing.under_shift(SAID, {FOG: OTHER}, clusters=of, **FEW),
    "audits.calibration_of": lambda of: audits.calibration_of(
        SAID, calibrators=["temperature"], clusters=of
    ).summary(),
}

OF_VALUES = {"audits.audit", "audits.audit_predictions", "audits.calibrate"}
"""These take values of any kind, such as names of patients."""


def takers():
    for module in (calibration, auditing, audits):
        for name in module.__all__:
            one = getattr(module, name)
            if inspect.isfunction(one) and "clusters" in inspect.signature(one).parameters:
                yield f"{module.__name__.removeprefix('arcal.')}.{name}"


def test_every_public_function_that_takes_clusters_is_called_here():
    assert {*takers()} - OF_VALUES == {*CALLS}


@pytest.mark.parametrize("name", CALLS)
def test_clusters_are_a_list_an_array_or_a_tensor(name):
    by_list, *others = (
        repr(CALLS[name](given))
        for given in (CLUSTERS, np.array(CLUSTERS, dtype=np.uint16), torch.tensor(CLUSTERS) + 7)
    )
    assert others == [by_list] * 2


@pytest.mark.parametrize("wrong", [[0, 1], [-1] * N, [0.5] * N, ["Ann"] * N, 3])
@pytest.mark.parametrize("name", CALLS)
def test_other_clusters_raise(name, wrong):
    with pytest.raises(ArcalError, match="clusters"):
        CALLS[name](wrong)


def test_the_interval_of_the_aurc_takes_errors_as_alike_as_an_audit_does():
    ones = torch.ones(N, dtype=torch.float64)
    known = as_clusters(CLUSTERS, *PAIR, ones)
    ends = calibration.aurc_interval(*PAIR, clusters=CLUSTERS)
    assert ends == interval_of_aurc(*PAIR, clusters=known)
    audited = auditing.overall(SAID, clusters=CLUSTERS, resamples=5).aurc
    assert ends == pytest.approx((audited.low, audited.high), abs=1e-12)
    with pytest.raises(ArcalError, match=r"confidence must lie in \[0, 1\]"):
        calibration.aurc_interval(2 * SAID.confidence, SAID.correct, clusters=CLUSTERS)


def test_whole_clusters_are_drawn_whatever_their_numbers():
    value, samples = calibration.bootstrap_ece_by_group(
        *PAIR, HALF, 2, clusters=CLUSTERS, resamples=3
    )
    assert value[0].item() == pytest.approx(
        calibration.ece(PAIR[0][HALF == 0], PAIR[1][HALF == 0]), abs=1e-12
    )
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(N // 4, (3, N // 4), generator=generator, dtype=torch.int32)
    for some, found in zip(drawn, samples, strict=True):
        rows = (4 * some[:, None].long() + torch.arange(4)).flatten()
        for g in range(2):
            own = rows[HALF[rows] == g]
            expected = calibration.ece(PAIR[0][own], PAIR[1][own])
            assert found[g].item() == pytest.approx(expected, abs=1e-12)


def test_weights_and_clusters_are_given_by_name_everywhere():
    for module in (calibration, auditing, audits):
        for one in filter(inspect.isfunction, (getattr(module, name) for name in module.__all__)):
            parameters = inspect.signature(one).parameters
            for said in {"weights", "clusters", "than"} & {*parameters}:
                assert parameters[said].kind is inspect.Parameter.KEYWORD_ONLY, (one, said)
