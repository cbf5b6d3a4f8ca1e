"""The table of every figure: complete, one row each, and readable by any reader of Parquet."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch

from arcal.errors import ArcalError
from arcal.evaluation import MEASURES, OTHER_ECE, STABILITY, rows, write_tidy
from arcal.evaluation.collect import MethodRuns
from arcal.evaluation.figures import figures, stability
from arcal.evaluation.ood import out_of_distribution
from arcal.evaluation.predictions import Predictions
from arcal.evaluation.tidy import where
from arcal.store import RunFolder


class Other:
    """What `out_of_distribution` reads of a resized part."""

    name, how = "cats/test", "resized from 28 x 28 to 32 x 32"

    def __len__(self):
        return 50


@pytest.fixture
def group(tmp_path):
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(50) % 3

    def made():
        logits = torch.randn(1, 50, 3, generator=draw)
        return Predictions(torch.arange(50), labels, logits)

    runs = [made(), made()]
    sets = {"test": runs, "test-fog-3": [made(), made()]}
    cut = torch.arange(50) % 10
    return MethodRuns(
        "vanilla",
        [RunFolder(tmp_path / "vanilla-s0-a"), RunFolder(tmp_path / "vanilla-s1-b")],
        [(0,), (1, 2)],
        runs,
        [],
        {name: [figures(one) for one in found] for name, found in sets.items()},
        {"test": figures(runs[0])},
        {name: stability(found, cut, 10)[0] for name, found in sets.items()},
        {name: stability(found, cut, 10)[1] for name, found in sets.items()},
        [out_of_distribution(Other(), runs, [made(), made()])],  # pyright: ignore[reportArgumentType]
    )


def test_one_row_a_figure(group, tmp_path):
    found = list(rows([group]))
    keys = [tuple(row.get(k) for k in ("run", "set", "type", "level", "measure")) for row in found]
    assert len(set(keys)) == len(keys)
    of_runs = 2 * 2 * len(MEASURES + OTHER_ECE)
    of_all = len(MEASURES + OTHER_ECE) + 2 * (len(STABILITY) + len(STABILITY) * 10)
    assert len(found) == of_runs + of_all + 3 * 2, "and two AUROCs of two runs and their ensemble"
    write_tidy(tmp_path / "figures.parquet", [group], data="tiny")
    table = pq.read_table(tmp_path / "figures.parquet")
    assert len(table) == len(found)
    assert json.loads(table.schema.metadata[b"arcal"])["data"] == "tiny"
    (row,) = (
        row
        for row in table.to_pylist()
        if row["run"] == "vanilla-s1-b" and row["type"] == "fog" and row["measure"] == "ece"
    )
    assert row["seeds"] == "1+2"
    assert row["value"] == group.figures["test-fog-3"][1]["ece"]
    assert (row["set"], row["intensity"], row["level"]) == ("test", 3, None)


def test_what_a_file_has_of_others_stays_in_it(group, tmp_path):
    path = tmp_path / "figures.parquet"
    write_tidy(path, [replace(group, label="adals"), group])
    before = pq.read_table(path).to_pylist()
    of_one = {"test": group.figures["test"][:1]}
    less = {"stability": {}, "stability_by_level": {}, "ood": []}
    smaller = replace(group, folders=group.folders[:1], seeds=[(0,)], figures=of_one, **less)
    write_tidy(path, [smaller], keep_others=True)
    after = pq.read_table(path).to_pylist()

    def made_anew(row):
        return row["method"] == "vanilla" and row["set"] == "test" and row["type"] is None

    assert [row for row in after if not made_anew(row)] == [r for r in before if not made_anew(r)]
    assert len([row for row in after if made_anew(row)]) == len(list(rows([smaller])))
    write_tidy(path, [smaller])
    assert len(pq.read_table(path)) == len(list(rows([smaller])))
    path.write_text("x")
    with pytest.raises(ArcalError, match=r"figures.parquet is no table of figures"):
        write_tidy(path, [smaller], keep_others=True)


def test_what_is_not_finite_is_null(group):
    group.figures["test"][0]["nll"] = float("inf")
    assert [row["value"] for row in rows([group])].count(None) == 1


def test_names_of_sets():
    assert where("test") == {"set": "test", "type": None, "intensity": None}
    assert where("test-gaussian_noise-3") == {
        "set": "test",
        "type": "gaussian_noise",
        "intensity": 3,
    }
