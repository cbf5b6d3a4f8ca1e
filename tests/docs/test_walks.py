"""CONTRIBUTING's map of the code: rooms in their order, and walks through files that run."""

import re
import sys
from pathlib import Path

import pytest
from documents import ROOT, quoted

import arcal
from arcal.auditing import shift_sets
from arcal.evaluation import evaluate, write_table
from arcal.report.terminal import print_table
from arcal.training import RECIPES, Run, data_of, score_run, train
from test_imports import ROOMS

SOURCE = Path(arcal.__file__).parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def walk(name):
    """The files of a walk, as the steps begin."""
    steps = re.search(rf"\*\*{name}\*\*.*?\n\n(.*?)\n\n", TEXT, re.DOTALL)
    assert steps, name
    return re.findall(r"^\d+\. `([\w/]+\.py)`", steps[1], re.MULTILINE)


@pytest.fixture(scope="module")
def entered(tmp_path_factory):
    """The files whose functions ran: in training, in scoring and in evaluating."""
    root = tmp_path_factory.mktemp("runs")
    recipe = RECIPES["demo"].shortened(1)
    run = Run(
        method="ar-adals",
        settings={"R": 2, "order": "margin"},
        recipe=recipe,
        images=16,
        validation=16,
        test_images=16,
    )
    acts, state = {}, {}

    def scoring():
        state["data"] = data = data_of(state["folder"])
        attack = arcal.BoundaryProjection(budget=3)
        score_run(state["folder"], data.test, "test", "attack", attack=attack)

    def evaluating():
        subjects = evaluate([state["folder"]], state["data"], shift_sets(["fog-1"]), "margin")
        write_table(root / "evaluation.parquet", subjects)
        print_table(subjects)

    data = run.load()
    acts["training"] = traced(lambda: state.update(folder=train(run, root, data=data)))
    return acts | {"scoring": traced(scoring), "evaluating": traced(evaluating)}


def traced(act):
    """The files of `src/arcal` with a function that ran."""
    seen = set()

    def profile(frame, event, argument):
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(SOURCE)) and frame.f_code.co_name[0] != "<":
            seen.add(Path(path).relative_to(SOURCE).as_posix())

    sys.setprofile(profile)
    try:
        act()
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("One image to its score", "scoring"),
        ("One label to its loss", "training"),
        ("One run to a table", "evaluating"),
    ],
)
def test_a_walk_passes_through_files_that_run(name, act, entered):
    files = walk(name)
    assert 5 <= len(files) <= 8
    assert not [file for file in files if file not in entered[act]]


def test_rooms_are_listed_in_their_order():
    table = re.search(r"\| room \|.*?\n\n", TEXT, re.DOTALL)
    assert table
    cells = re.findall(r"^\| (`.*?) \|", table[0], re.MULTILINE)
    assert [room for cell in cells for room in quoted(cell)] == list(ROOMS)
