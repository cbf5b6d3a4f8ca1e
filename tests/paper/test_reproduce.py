"""From items to results on disk, with real runs on a tiny data set whose labels are noisy."""

import json
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from made_up import approx

from arcal.auditing import shift_sets
from arcal.calibration import variance
from arcal.compute import Compute
from arcal.errors import ArcalError
from arcal.evaluation import predict
from arcal.files import locked
from arcal.paper import ITEMS
from arcal.paper import reproduce as module
from arcal.paper.item import Item
from arcal.paper.reproduce import Reproduction
from arcal.paper.result import Cell, Claim, Result, Table, as_json
from arcal.paper.rows import read_rows
from arcal.paper.scales import Setting
from arcal.paper.spreads import clean, clean_ensemble, shifted
from arcal.paper.variants import AR_ADALS, LS, OF_ENSEMBLE, VANILLA
from arcal.store import RunFolder, load_tensors
from arcal.training.many import train_all
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from tiny_files import write_tiny

NAME = "cifar10-resnet29"
SHIFT = ("gaussian_noise-1", "gaussian_noise-3")
SHIFTED = shift_sets(SHIFT)


def _make(evaluated):
    vanilla, joint = (evaluated[NAME].figures(variant) for variant in (VANILLA, OF_ENSEMBLE))
    spreads = [clean_ensemble(subject, "ece") for subject in (vanilla, joint)]
    cells = [Cell("1.0", clean(vanilla, "ece")), *(Cell(None, spread) for spread in spreads)]
    claim = Claim("ImageNet is run", "imagenet-resnet101" in evaluated, "by its name")
    table = Table("ECE", ["a", "b", "c"], [("m", cells)])
    return Result("own", "An item", ["A note."], [table], [claim])


OWN = Item("own", (NAME, "imagenet-resnet101"), (VANILLA, OF_ENSEMBLE), _make)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduction")


@pytest.fixture(scope="module")
def reproduction(folder):
    source = write_tiny(folder / "data", N=120, wrong=5)
    recipe = replace(RECIPES["demo"].shortened(2), batch_size=8)
    setting = Setting(
        name=NAME,
        title="Tiny images, small network",
        about="tiny images",
        run=Run(data=str(source), recipe=recipe, validation=40),
        seeds=(0, 1),
        epsilons=(0.02, 0.1),
        alphas=(0.3,),
        adals_alphas=(0.3,),
        rescore=(0.5,),
        levels=(1, 10),
        shift=SHIFT,
        ood=None,
        order="gradient",
    )
    trained = []

    def train(runs):
        torch.set_num_threads(1)
        trained.extend(runs)
        return train_all(runs, folder / "runs")

    return Reproduction(
        [ITEMS["table1"], ITEMS["table5"], OWN],
        "smoke",
        {NAME: setting},
        folder / "runs",
        folder / "out",
        train,
        lambda doing, unit: nullcontext(lambda done, total: None),
    )


@pytest.fixture(scope="module")
def results(reproduction):
    before = reproduction.status()
    assert [seconds for _, _, seconds in before] == [None]
    return reproduction.run()


def test_each_run_is_trained_once(results, reproduction, folder):
    names = sorted(path.name.rpartition("-")[0] for path in (folder / "runs").iterdir())
    two = ("adals", "ar-adals", "label-smoothing", "vanilla")
    expected = [f"{method}-s{seed}" for method in two for seed in (0, 1)]
    assert names == sorted([*expected, "ar-adals-s0_1", "label-smoothing-s0"])
    ((planned, progress, seconds),) = reproduction.status()
    assert (planned.setting.name, planned.shift, planned.ood, seconds) == (NAME, True, False, 0)
    assert len(progress) == 10
    assert all(one.finished for one in progress)


def test_an_item_is_told_what_was_evaluated(results, reproduction, folder):
    own = as_json(results[2])
    (first, averaged, lockstep) = own["tables"][0]["rows"][0]["cells"]
    assert (first["paper"], len(first["values"])) == ("1.0", 2)
    assert len(averaged["values"]) == len(lockstep["values"]) == 1
    assert averaged["mean"] != lockstep["mean"]
    assert own["claims"] == [{"text": "ImageNet is run", "holds": False, "because": "by its name"}]
    page = (folder / "out" / "own.md").read_text()
    assert "(paper 1.0)" in page
    assert "| ImageNet is run | **does not hold** | by its name |" in page
    summary = (folder / "out" / "README.md").read_text()
    assert "| [own](own.md) | ImageNet is run | **does not hold** |" in summary
    assert "2 seeds; chosen on validation, seed 0: epsilon 0." in summary
    assert [result["name"] for result in map(as_json, results)] == ["table1", "table5", "own"]
    rows = read_rows(folder / "out" / "figures.csv")
    assert {row.get("intensity") for row in rows} == {None, "1", "3"}


def test_two_commands_add_to_one_folder_in_turn(results, reproduction, monkeypatch):
    """Each adds its rows to those that are there, and lists what all have written."""
    alone = []

    def looked(write):
        def look(*arguments, **more):
            with locked(reproduction.out / ".lock", wait=False) as free:
                alone.append(not free)
            return write(*arguments, **more)

        return look

    for name in ("write_rows", "remade"):
        monkeypatch.setattr(module, name, looked(getattr(module, name)))
    reproduction.run()
    assert alone == [True, True]


@pytest.mark.parametrize("taken", ["a page of somebody else's", "a file"])
def test_where_results_cannot_go_is_told_before_anything_is_trained(reproduction, tmp_path, taken):
    def never(runs):
        raise AssertionError("it was trained")

    if taken == "a file":
        out = tmp_path / "file" / "out"
        out.parent.write_text("not a folder")
    else:
        out = tmp_path
        (out / "README.md").write_text("# Notes of my own\n")
    with pytest.raises((ArcalError, NotADirectoryError), match=str(out.parent)):
        replace(reproduction, out=out, train=never).run()


def test_epsilon_is_the_best_on_validation(results, reproduction, folder):
    sweep = {}
    for path in (folder / "runs").glob("label-smoothing-s0-*"):
        epsilon = json.loads((path / "config.json").read_text())["settings"]["epsilon"]
        last = (path / "metrics.jsonl").read_text().splitlines()[-1]
        sweep[epsilon] = json.loads(last)["ece"]
    (second,) = (folder / "runs").glob("label-smoothing-s1-*")
    chosen = json.loads((second / "config.json").read_text())["settings"]["epsilon"]
    assert chosen == min(sweep, key=lambda epsilon: sweep[epsilon])


def test_table_1_counts_sure_training_images(results, reproduction):
    table = results[0].tables[0]
    ((_, (accuracy, gap, attacked, sure)),) = table.rows
    data = reproduction.settings[NAME].run.load()
    runs = _folders(reproduction, "vanilla")
    for i, run in enumerate(runs):
        p = predict(run, data.test, "test").log_probabilities.exp()
        right = (p.argmax(1) == data.test.labels).double().mean()
        assert accuracy.ours.values[i] == approx(right.item())
        assert gap.ours.values[i] == approx((p.amax(1).mean() - right).item())
        p = predict(run, data.train, "all-of-train").log_probabilities.exp().amax(1)
        assert sure.ours.values[i] == approx((p > 0.99).double().mean().item())
    assert attacked.ours is None, "levels were cut by the gradient"


def test_table_5_is_the_variance_of_the_runs_predictions(results, reproduction):
    main, fixed, own, churn = results[1].tables
    p = []
    for where in SHIFTED:
        files = [run.predictions(where.name) for run in _folders(reproduction, "ar-adals")]
        logits = torch.stack([load_tensors(file)[0]["logits"][0] for file in files])
        p.append(logits.double().softmax(dim=2))
    variances = [variance(one) for one in p]
    cells = dict(main.rows)["AR-AdaLS (pre-compute)"]
    one, three = (each.all_classes for each in variances)
    assert _shown(cells) == approx([one, three, (one + three) / 2])
    assert [cell.paper for cell in cells] == ["4.21", "5.06", "5.73", "6.66", "8.24", "5.98"]
    for table, reading in ((fixed, "fixed_class"), (own, "own_maximum")):
        cells = dict(table.rows)["AR-AdaLS (pre-compute)"]
        one, three = (getattr(each, reading) for each in variances)
        assert _shown(cells) == approx([one, three, (one + three) / 2])
    cells = dict(churn.rows)["AR-AdaLS (pre-compute)"]
    one, three = ((a.argmax(1) != b.argmax(1)).double().mean().item() for a, b in p)
    assert _shown(cells) == approx([one, three, (one + three) / 2])
    assert "1 of 19 types (gaussian_noise), intensities 1, 3" in results[1].notes[0]
    assert "ImageNet, ResNet-101: not run at this scale." in results[1].notes


def test_what_is_there_is_not_made_again(results, reproduction, folder):
    files = [*folder.glob("runs/*/checkpoint*"), *folder.glob("runs/*/predictions/*")]
    assert len(files) > 30
    before = {file: file.stat().st_mtime_ns for file in files}
    again = replace(reproduction, items=[ITEMS["table1"]], out=folder / "again")
    (result,) = again.run()
    assert all(file.stat().st_mtime_ns == then for file, then in before.items())
    assert result.tables == results[0].tables


KEPT = (LS, LS.calibrated("temperature"), AR_ADALS)


def _make_kept(evaluated):
    rows = []
    for variant in KEPT:
        figures = evaluated[NAME].figures(variant)
        rows.append(
            (
                variant.title,
                [Cell(None, clean(figures, "ece")), Cell(None, shifted(figures, "ece"))],
            )
        )
    return Result("kept", "", [], [Table("ECE", ["clean", "shifted"], rows)])


def test_what_is_kept_is_not_trained_again(reproduction, results, folder):
    item = Item("kept", (NAME,), KEPT, _make_kept, shift=True, from_kept=True)
    first = replace(reproduction, items=[item], out=folder / "a", kept=folder / "keep")
    (before,) = first.run()
    assert len(list((folder / "keep").iterdir())) == 4, "two methods of two seeds"
    whole = replace(first, kept=None, out=folder / "b").run()
    assert whole == [before]

    ((_, progress, _),) = first.status()
    assert sorted(one.folder.name[:-12] for one in progress if one.kept) == [
        *("ar-adals-s0-", "ar-adals-s1-", "label-smoothing-s1-")
    ], "label-smoothing-s0 is of the grid as well"

    def train(runs):  # all that is left is the grid of epsilon, of which nothing is kept
        assert {(run.method, run.seeds) for run in runs} <= {("label-smoothing", (0,))}
        return train_all(runs, folder / "elsewhere")

    again = replace(first, root=folder / "elsewhere", out=folder / "c", train=train)
    assert again.run() == [before]


def test_without_workers_a_run_is_kept_before_the_next_is_trained(reproduction, results, folder):
    item = Item("kept", (NAME,), KEPT, _make_kept, shift=True, from_kept=True)

    def train(runs):
        if any(run.method == "ar-adals" for run in runs):
            raise KeyboardInterrupt
        return train_all(runs, folder / "runs")

    stopped = replace(reproduction, items=[item], out=folder / "d", train=train)
    for workers, named in ((1, ["label-smoothing-s0"]), (2, [])):
        to = folder / f"kept-{workers}"
        with pytest.raises(KeyboardInterrupt):
            replace(stopped, kept=to, compute=Compute(workers=workers)).run()
        assert [path.name.rpartition("-")[0] for path in to.glob("*")] == named


def test_machines_share_a_plan_by_naming_its_runs(reproduction, results, folder):
    item = Item("kept", (NAME,), KEPT, _make_kept, shift=True, from_kept=True)
    whole = replace(reproduction, items=[item], out=folder / "e", kept=folder / "shared")
    names = [run.name for run in whole.keep(["ar-adals-s0"])]
    assert [name.rpartition("-")[0] for name in names] == ["ar-adals-s0"]
    assert [path.stem for path in (folder / "shared").iterdir()] == names
    assert len(whole.keep(["label-smoothing", "ar-adals-s1"])) == 3
    assert not (folder / "e").exists(), "no table of a part"

    def train(runs):
        assert {run.method for run in runs} <= {"label-smoothing"}, "the grid, and no more"
        return train_all(runs, folder / "runs")

    (result,) = replace(whole, train=train).run()
    assert len(result.tables[0].rows) == len(KEPT)

    with pytest.raises(ArcalError, match="no run of this plan is called 'mixup'"):
        whole.keep(["ar-adals-s0", "mixup"])
    with pytest.raises(ArcalError, match="name a folder with --keep"):
        replace(whole, kept=None).keep(["ar-adals-s0"])


def test_what_needs_more_than_is_kept_is_refused_first(reproduction, folder):
    items = [ITEMS["table1"], ITEMS["headline"]]
    needy = replace(reproduction, items=items, kept=folder / "keep")
    for act in (needy.run, needy.status):
        with pytest.raises(ArcalError, match="table1 cannot be made from what --keep"):
            act()


def test_a_scale_without_the_items_data_is_one_line(reproduction):
    nothing = replace(reproduction, items=[Item("x", ("y",), (LS,), _make)])
    with pytest.raises(ArcalError, match="the scale smoke has none of the data sets that x needs"):
        nothing.run()


def _folders(reproduction, method):
    return [RunFolder.open(path) for path in sorted(reproduction.root.glob(f"{method}-s?-*"))]


def _shown(cells):
    return [cell.ours.mean for cell in cells if cell.ours is not None]
