"""A sweep chooses by validation ECE and goes on upward only while its best is the last."""

import pytest

from arcal.errors import ArcalError
from arcal.training import many as module
from arcal.training.many import sweep
from arcal.training.run import Run

RUN = Run(method="label-smoothing")


class Trained:
    def __init__(self, ece):
        self.ece = ece

    def epochs(self):
        return [{"ece": 9.0}, {"ece": self.ece}]


@pytest.fixture
def ece_of(monkeypatch):
    """Stands in for training: what ECE each epsilon ends with."""

    def use(function):
        def train_all(runs, root, **options):
            return [Trained(function(run.settings["epsilon"])) for run in runs]

        monkeypatch.setattr(module, "train_all", train_all)

    return use


def test_a_grid_that_ends_too_early_goes_on(ece_of, tmp_path):
    ece_of(lambda epsilon: abs(epsilon - 0.11))
    found = sweep(RUN, tmp_path, "epsilon", (0.02, 0.04, 0.06), extend=True)
    assert found.best == 0.1
    assert list(found.ece) == [0.02, 0.04, 0.06, 0.08, 0.1, 0.12]
    assert sweep(RUN, tmp_path, "epsilon", (0.02, 0.04, 0.06)).best == 0.06


def test_it_goes_on_to_twice_the_end_of_its_grid_at_most(ece_of, tmp_path):
    """Training that is too short has no best epsilon below 1, and every further one costs a run."""
    ece_of(lambda epsilon: -epsilon)
    found = sweep(RUN, tmp_path, "epsilon", (0.0, 0.01, 0.02), extend=True)
    assert list(found.ece) == [0.0, 0.01, 0.02, 0.03, 0.04]


def test_what_cannot_be_tried_is_said(tmp_path):
    with pytest.raises(ArcalError, match="'label-smoothing' has no setting 'epsilonn'"):
        sweep(RUN, tmp_path, "epsilonn", (0.1,))
    with pytest.raises(ArcalError, match="no value of epsilon"):
        sweep(RUN, tmp_path, "epsilon", ())
