"""`arcal train`: what it says of a run."""

import pytest

from command_line import arcal

ONE_EPOCH = "with one epoch it trained as vanilla does"


@pytest.mark.parametrize(
    ("method", "epochs", "said"),
    [("adals", 1, True), ("adals", 2, False), ("label-smoothing", 1, False)],
)
def test_soft_labels_that_no_epoch_would_use(method, epochs, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = arcal(
        "train", "--images", 60, "--validation", 60, "--epochs", epochs, "--method", method
    )
    assert done.code == 0, done.stderr
    assert (ONE_EPOCH in " ".join(done.stderr.split())) is said
