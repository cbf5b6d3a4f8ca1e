"""The command line on real files: within this process, and where a process matters in its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from arcal.cli import _launched
from arcal.console import console
from arcal.store import RunFolder, load_tensors
from command_line import Done, arcal
from tiny_files import write_tiny

pytestmark = pytest.mark.usefixtures("few_draws")

ARCAL = [sys.executable, "-W", "error::UserWarning", "-m", "arcal"]


def succeeds(*arguments: object) -> Done:
    """The command line, which must succeed."""
    done = arcal(*arguments)
    assert done.code == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("data"))


TRAIN = (
    "train", "--validation", 40, "--method", "ar-adals", "--order", "gradient", "--alpha", 0.5,
    "--levels", 4, "--seeds", 0, 1, "--epochs", 3, "--json",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """Two seeds of AR-AdaLS and the vanilla runs it ranks by."""
    root = tmp_path_factory.mktemp("runs")
    return root, json.loads(succeeds(*TRAIN, "--data", tiny, "--runs", root).stdout)


def test_train_trains_what_it_ranks_by_and_prints_json(trained):
    root, printed = trained
    assert [Path(record["run"]).name.rpartition("-")[0] for record in printed] == [
        "ar-adals-s0", "ar-adals-s1"
    ]  # fmt: skip
    assert all(record["epoch"] == 3 and len(record["epsilon"]) == 4 for record in printed)
    names = sorted(path.name.rpartition("-")[0] for path in root.iterdir())
    assert names == ["ar-adals-s0", "ar-adals-s1", "vanilla-s0", "vanilla-s1"]


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_bits(tiny, tmp_path):
    options = [
        "train", "--data", tiny, "--validation", 40, "--method", "adals", "--alpha", 0.5,
        "--recipe", "resnet29", "--epochs", 15,
    ]  # fmt: skip
    succeeds(*options, "--runs", tmp_path / "whole")
    process = subprocess.Popen(
        [*ARCAL, *map(str, options), "--runs", str(tmp_path / "killed")], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (found := list((tmp_path / "killed").glob("*/checkpoint.safetensors"))):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 0 < load_tensors(found[0])[1]["epoch"] < 15, "it must have been killed midway"
    unfinished = found[0].with_name(".checkpoint.safetensors.1.abc")
    unfinished.touch()
    succeeds(*options, "--runs", tmp_path / "killed")
    assert not unfinished.exists()
    expected = next((tmp_path / "whole").glob("*/checkpoint.safetensors"))
    assert expected.parent.name == found[0].parent.name
    assert expected.read_bytes() == found[0].read_bytes()
    logs = [RunFolder(path.parent).epochs() for path in (expected, found[0])]
    assert [record | {"seconds": 0} for record in logs[0]] == [
        record | {"seconds": 0} for record in logs[1]
    ]


def test_a_finished_run_is_left_as_it_is(trained, tiny):
    root, printed = trained
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    again = succeeds(*TRAIN, "--data", tiny, "--runs", root, "--workers", 2)
    assert json.loads(again.stdout) == printed
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()} == before


def test_score_evaluate_and_report(trained, tiny, tmp_path, monkeypatch):
    root, printed = trained
    monkeypatch.chdir(tmp_path)
    vanilla = sorted(root.glob("vanilla-*"))
    scored = succeeds("score", vanilla[0], "--part", "validation", "--order", "margin", "--json")
    summary = json.loads(scored.stdout)
    assert summary["inputs"] == 40
    assert summary["success"] is None
    runs = [*vanilla, *(record["run"] for record in printed)]
    asked = ["--shift", "gaussian_noise-3", "--ood", tiny, "--cache", tmp_path / "cache"]
    records = json.loads(succeeds("evaluate", *runs, *asked, "--json").stdout)
    *of_sets, a, b, c, d = sorted(records, key=lambda record: "auroc_entropy" in record)
    assert len(of_sets) == 8
    assert {record["set"] for record in of_sets} == {"test", "test-gaussian_noise-3"}
    assert a["auroc_entropy"] == b["auroc_entropy"] == c["auroc_entropy"] == d["auroc_entropy"]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    table = pq.read_table(tmp_path / "evaluation.parquet").to_pylist()
    aucs = [row for row in table if row["measure"] == "auroc_entropy"]
    assert [row["value"] for row in aucs] == [0.5] * 6, "its own test set; 4 runs, 2 ensembles"
    assert "Vanilla: 2 runs" in succeeds("evaluate", *runs, *asked).stdout
    succeeds("report", *runs, *asked, "--out", "report")
    assert (tmp_path / "report" / "index.html").stat().st_size > 10_000
    assert (tmp_path / "report" / "evaluation.parquet").exists()


def _spoiled(run: Path) -> Path:
    config = json.loads((run / "config.json").read_text())
    copy = run.with_name("vanilla-s9-000000000000")
    copy.mkdir(exist_ok=True)
    (copy / "config.json").write_text(json.dumps(config | {"seeds": [9]}))
    return copy


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--data", "nowhere"], "nowhere"),
        (["train", "--method", "magic"], "method 'magic' is unknown"),
        (["train", "--network", "huge"], "network 'huge' is unknown"),
        (["train", "--method", "adals", "--levels", "3"], "has no setting 'R' (levels)"),
        (["train", "--threads", "0"], "0 threads: at least 1"),
        (["train", "--epochs", "x"], "--epochs cannot be 'x'; see `arcal train --help`"),
        (["train", "--bogus", "3"], "there is no option --bogus; see `arcal train --help`"),
        (["train", "--metod", "3"], "there is no option --metod: did you mean --method?; see"),
        (["--workers", "2", "score", "x"], "--workers before the command: name the command first"),
        (
            ["train", "--method", "vanilla", "ar-adals"],
            "ar-adals is not expected here: --method takes one; run the command once for each; see",
        ),
        (["score"], "0 names are given: name MODEL and DATA, or RUN"),
        (["trian"], "there is no command trian: did you mean train?; see `arcal --help`"),
        (["reproduce", "headline"], "choose another with --scale"),
        (["reproduce", "table1", "--scale", "cpu"], "no data at data/cifar10: say where with"),
        (["train", "--method", "label-smoothing", "--epsilon", "1"], "epsilon is 1.0"),
        (["train", "--validation", "9000"], "9000"),
        (["train", "--sweep"], "--sweep"),
        (["train", "--accelerator", "abacus"], "accelerator 'abacus' cannot be used here"),
        (["score", "nowhere"], "not a run folder: there is no such folder"),
        (["evaluate", __file__], "not a run folder: it is a file"),
        (["score", __file__], "test_cli.py alone is not enough: give MODEL and DATA, or RUN"),
        (["score", "photos", "net.py:net"], "net.py:net is a model where DATA should be"),
        (["evaluate", "--shift", "fog-3", "run"], "before --shift, --ood and --posthoc"),
        (["evaluate"], "no runs"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(monkeypatch, arguments, says, tmp_path):
    monkeypatch.chdir(tmp_path)
    line = arcal(*arguments).line
    assert line.startswith("arcal: ")
    assert says in line
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_bad_runs_are_one_line_and_exit_2(trained):
    root, _ = trained
    run = next(root.glob("vanilla-s0-*"))
    cases = [
        (["evaluate", _spoiled(run)], "has been changed"),
        (["evaluate", run, "--shift", "fog-9"], "shift 'fog-9' is unknown"),
        (["evaluate", run, "--posthoc", "magic"], "calibrator 'magic' is unknown"),
        (["evaluate", run, "--order", "size"], "order 'size' is unknown"),
        (["evaluate", run, "--cache", "here"], "add --shift"),
        (["evaluate", run, "--table", root], "is a folder"),
        (
            ["evaluate", run, "--table", "figures.csv"],
            "is written as Parquet: name it figures.parq",
        ),
        (["evaluate", run, "--table", run / "config.json" / "table.parquet"], "config.json"),
        (["evaluate", run, "--shift", "--official", "nowhere"], "holds no corrupted set"),
        (["evaluate", run, "--ood", "nowhere"], "nowhere is not there"),
        (["score", run, "--part", "all"], "all"),
        (["score", run, "--order", "size"], "order 'size' is unknown"),
        (["score", run, "--attack", "magic"], "attack 'magic' is unknown"),
        (["score", run, "--order", "margin", "--attack", "magic"], "--attack"),
        (["score", run, "--devices", 0], "0 devices"),
        (["score", run, "--threads", 0], "0 threads"),
    ]
    for arguments, says in cases:
        assert says in arcal(*arguments).line


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    error = arcal("train", "--runs", tmp_path / "file").line
    assert error == f"arcal: --runs {tmp_path}/file: {tmp_path}/file is a file: name a folder"


def test_data_that_has_moved_is_found_by_its_new_place(tiny, tmp_path):
    there, runs = tmp_path / "there", tmp_path / "runs"
    shutil.copytree(tiny.parent, there)
    short = ["--validation", 40, "--epochs", 1]
    succeeds("train", "--data", there / "tiny", *short, "--runs", runs)
    (run,) = runs.iterdir()
    there.rename(tmp_path / "moved")
    error = arcal("score", run, "--order", "margin").line
    assert str(run) in error
    assert error.endswith("if it has moved, give its path with --data")
    succeeds("score", run, "--order", "margin", "--data", tmp_path / "moved" / "tiny")
    config = json.loads((run / "config.json").read_text())
    del config["source"]
    (run / "config.json").write_text(json.dumps(config))
    assert (
        "does not say where its data is: give its path with --data" in arcal("evaluate", run).line
    )


def test_the_same_data_by_another_name_is_the_same_data(trained, tiny, tmp_path, monkeypatch):
    root, _ = trained
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny.parent, tmp_path / "copy")
    for file in (tmp_path / "copy").iterdir():
        file.rename(file.with_name(file.name.replace("tiny", "my")))
    succeeds(
        "train", "--data", tmp_path / "copy" / "my", "--validation", 40, "--epochs", 3,
        "--seeds", 1, 2, "--runs", tmp_path / "runs",
    )  # fmt: skip
    first, second = (next(root.glob(f"vanilla-s{seed}-*")) for seed in (0, 1))
    copied = next((tmp_path / "runs").glob("vanilla-s2-*"))
    both = succeeds("evaluate", first, copied, "--json")
    assert {record["method"] for record in json.loads(both.stdout)} == {"vanilla"}
    assert "Vanilla: 2 runs" in succeeds("evaluate", first, copied).stdout
    error = arcal("evaluate", second, next((tmp_path / "runs").glob("vanilla-s1-*"))).line
    assert "are of the same seeds, on the same data by another name" in error


def test_a_sweep_and_a_plan_can_be_read_by_programs(tiny, tmp_path):
    done = succeeds(
        "train", "--data", tiny, "--validation", 40, "--epochs", 1, "--runs", tmp_path,
        "--method", "label-smoothing", "--sweep", "--json",
    )  # fmt: skip
    (record,) = json.loads(done.stdout)
    assert len(record["tried"]) >= 11
    assert record["tried"][f"{record['settings']['epsilon']:g}"] == min(record["tried"].values())
    plan = "reproduce", "figure7", "--plan", "--runs", tmp_path
    (setting,) = json.loads(succeeds(*plan, "--json").stdout)
    assert setting["seconds_left"] is None
    assert {one["done"] for one in setting["runs"]} == {0}
    words = succeeds(*plan).stdout
    assert words.count("0 of ") == len(setting["runs"]) + 1
    assert words.endswith("time left: unknown until an epoch is done\n")


@pytest.mark.slow
def test_a_reader_that_has_had_enough_is_no_error(trained, tmp_path):
    _, printed = trained
    runs = [record["run"] for record in printed]
    command = [*ARCAL, "evaluate", *runs, "--json", "--table", str(tmp_path / "table.parquet")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        assert done.stdout is not None
        done.stdout.close()
        assert done.stderr is not None
        assert "pipe" not in done.stderr.read().lower()
    assert done.returncode == 141


def test_quiet_leaves_out_the_progress_and_no_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nowhere").mkdir()
    quiet, run = [], _launched.run
    monkeypatch.setattr(_launched, "run", lambda called: (quiet.append(console.quiet), run(called)))
    assert "nowhere" in arcal("score", "nowhere", "-q").line
    assert "nowhere" in arcal("score", "nowhere").line
    assert quiet == [True, False]
