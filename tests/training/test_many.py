"""Many runs: fanned out they are what they are alone, and what stops one stops all."""

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from arcal.compute import Compute
from arcal.errors import ArcalError
from arcal.store import RunFolder
from arcal.training.many import train_all, with_bases
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import is_done
from tiny_files import write_tiny


def run_of(source):
    recipe = RECIPES["demo"].shortened(2)
    settings = {"alpha": 0.5, "R": 3, "order": "gradient"}
    return Run(data=source, method="ar-adals", settings=settings, recipe=recipe, validation=40)


def two_runs(run):
    return [run, replace(run, method="vanilla", settings={}, seeds=(1,))]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(str(write_tiny(tmp_path_factory.mktemp("data"))))


TWO = Compute(workers=2)


@pytest.mark.slow
def test_two_workers_give_the_same_bits_as_one(run, tmp_path):
    runs = [run, replace(run, seeds=(1,)), replace(run, method="adals", settings={"alpha": 0.5})]
    seen = []
    one = train_all(runs, tmp_path / "one")
    two = train_all(runs, tmp_path / "two", compute=TWO, progress=lambda *done: seen.append(done))
    assert [f.name for f in one] == [f.name for f in two]
    assert [f.name.partition("-s")[0] for f in two] == ["ar-adals", "ar-adals", "adals"]
    for a, b in zip(one, two, strict=True):
        assert a.checkpoint.read_bytes() == b.checkpoint.read_bytes()
    assert seen[-1] == (10, 10), "three runs and two vanilla ones of two epochs each"


def test_what_others_rank_by_comes_first_and_each_run_once(run):
    of_ensemble = replace(run, seeds=(0, 1))
    adals = replace(run, method="adals", settings={})
    every = with_bases([adals, run, of_ensemble, run])
    labels = ["vanilla-s0", "vanilla-s1", "adals-s0", "ar-adals-s0", "ar-adals-s0_1"]
    assert [one.label for one in every] == labels


@pytest.mark.slow
def test_ray_gives_the_same_bits_as_one(run, tmp_path):
    """In a process of its own, since Ray ends the one that uses it if its own are lost."""
    pytest.importorskip("ray")
    program = [sys.executable, Path(__file__).with_name("on_ray.py"), run.data, tmp_path / "ray"]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        program, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "lower the learning rate" in done.stdout
    for one in train_all(two_runs(run), tmp_path / "one"):
        fanned_out = RunFolder(tmp_path / "ray" / one.name)
        assert fanned_out.checkpoint.read_bytes() == one.checkpoint.read_bytes()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning")
def test_a_cluster_that_does_not_answer_is_said_at_once(run, tmp_path):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unheard.getsockname()[1]}"
        with pytest.raises(ArcalError, match=f"no Ray at '{address}'"):
            train_all([run], tmp_path, compute=Compute(ray=address))


@pytest.mark.slow
def test_two_processes_train_one_run_once(run, tmp_path):
    plain = replace(run, method="vanilla", settings={}, recipe=replace(run.recipe, epochs=30))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: train_all([plain], tmp_path, compute=TWO), range(2))
    assert first == second
    assert [record["epoch"] for record in first[0].epochs()] == list(range(1, 31))
    assert is_done(first[0])


@pytest.mark.slow
def test_a_run_that_fails_stops_the_others_with_its_own_line(run, tmp_path):
    plain = replace(run, method="vanilla", settings={})
    wild = replace(plain, recipe=replace(run.recipe, learning_rate=1e30))
    long = replace(plain, recipe=replace(run.recipe, epochs=10_000))
    with pytest.raises(ArcalError, match="lower the learning rate"):
        train_all([long, wild], tmp_path, compute=TWO)
    folders = [RunFolder(path) for path in tmp_path.iterdir()]  # the other's, if it had begun
    others = [f for f in folders if f.config_checked()["recipe"]["epochs"] == 10_000]
    stopped = [other.epochs_done() for other in others]
    time.sleep(2)
    assert [other.epochs_done() for other in others] == stopped


@pytest.mark.slow
def test_a_worker_that_is_killed_is_said_in_one_line(run, tmp_path):
    plain = replace(run, method="vanilla", settings={}, recipe=replace(run.recipe, epochs=10_000))
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(train_all, [plain], tmp_path, compute=TWO)
        while not (children := multiprocessing.active_children()):
            time.sleep(0.1)
        for child in children:
            child.kill()
        with pytest.raises(ArcalError, match="a process was killed"):
            training.result()
