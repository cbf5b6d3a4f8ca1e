"""Rankings that several workers make beforehand: the same files, and nothing left for the runs."""

from dataclasses import replace

import pytest

from arcal.compute import Compute
from arcal.errors import ArcalError
from arcal.store import RunFolder
from arcal.training import rankings
from arcal.training._train import train
from arcal.training.many import train_all
from arcal.training.rankings import bases_of, shares
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.scoring import score_file
from tiny_files import write_tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Its training images are two shards."""
    source = str(write_tiny(tmp_path_factory.mktemp("data"), N=320))
    settings = {"alpha": 0.5, "R": 3, "order": "margin"}
    recipe = RECIPES["demo"].shortened(1)
    return Run(data=source, method="ar-adals", settings=settings, recipe=recipe, validation=40)


def files_of(root) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.name == "model.safetensors" or path.suffix == ".parquet"
    }


@pytest.mark.parametrize("order", ["margin", "gradient"])
def test_shares_in_any_order_leave_nothing_to_score(run, order, tmp_path, monkeypatch):
    run = replace(run, settings=run.settings | {"order": order}, seeds=(0, 1))
    monkeypatch.setattr(rankings, "TOGETHER", 1)
    data = run.load()
    train_all([run], tmp_path / "whole")
    bases = [train(base, tmp_path / "shares", data=data) for base in bases_of(run)]
    pieces = shares([run, run], lambda _: data, tmp_path / "shares", Compute())
    assert len(pieces) == 2 * (2 + 1), "of two bases, two shards to train on and one to validate"
    for piece in reversed(pieces):
        piece()
    for base in bases:
        for name, shards in (("train", 2), ("validation", 1)):
            path = score_file(base, name, order)
            assert not path.exists()
            assert len(list(path.with_suffix(".shards").glob("*.parquet"))) == shards
    before = {path: path.stat().st_ino for path in (tmp_path / "shares").rglob("*.shards/*")}
    pieces[0]()  # nothing is scored twice
    assert before == {p: p.stat().st_ino for p in (tmp_path / "shares").rglob("*.shards/*")}
    train_all([run], tmp_path / "shares")
    assert not list((tmp_path / "shares").rglob("*.shards"))
    assert files_of(tmp_path / "shares") == files_of(tmp_path / "whole")


def test_a_share_needs_a_trained_run(run, tmp_path):
    piece = shares([run], lambda run: run.load(), tmp_path, Compute())[0]
    with pytest.raises(ArcalError, match="not fully trained"):
        piece()


@pytest.mark.slow
def test_two_workers_rank_as_one_does(run, tmp_path):
    train_all([run], tmp_path / "one")
    (two,) = train_all([run], tmp_path / "two", compute=Compute(workers=2))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert RunFolder(two.path).epochs_done() == 1
