"""Values that say which inputs belong together: how they are given, and where it is said."""

import numpy as np
import pytest
import torch

import arcal
from arcal.auditing import as_predictions, in_clusters, one_per

LOGITS = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
PREDICTIONS = as_predictions(logits=LOGITS, labels=torch.arange(60) % 2)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_zero_has_no_sign(kind):
    values = np.array([0.0, -0.0, 1.0, 1.0], kind)
    assert in_clusters("patient", values).number.tolist() == [0, 0, 1, 1]
    assert len(one_per(values)) == 2


def test_generators_serve_several_models():
    three = (i // 3 for i in range(60))
    by = {"site": (i % 2 for i in range(60))}
    audit = arcal.audit({"one": PREDICTIONS, "two": PREDICTIONS}, clusters=three, by=by)
    assert [len(one.clusters.groups) for one in audit.models if one.clusters] == [20, 20]
