"""Plans against closed forms, against what a run then takes, and against files it then writes."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from arcal.attacks import BoundaryProjection, Inputs
from arcal.auditing import as_model
from arcal.audits import Job, Settings
from arcal.audits._examples import Examples
from arcal.audits.blocks import audit_block, score_block
from arcal.audits.engine import AuditBlocks, ScoreBlocks, in_order
from arcal.compute import Compute
from arcal.data import InMemory, load
from arcal.errors import ArcalError
from arcal.planning import Attacked, Hardware, Line, Plan, Training, plan_attacked, plan_training
from arcal.planning._hardware import largest_bytes, operations, saved_bytes
from arcal.training import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import data_of
from arcal.training.scoring import score_file, score_run
from tiny_files import write_tiny

C, K, S, Z = 3, 8, 16, 10
"""Channels, filters, size and classes of a network whose operations are known."""
CONVOLUTION = 2 * (S * S * K) * (C * 9)
DENSE = 2 * (K * S * S // 4) * Z
FORWARD = CONVOLUTION + DENSE


def network():
    return nn.Sequential(
        nn.Conv2d(C, K, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(K * S * S // 4, Z),
    ).eval()


def attacked(**options):
    x, labels = torch.rand(20, C, S, S), torch.arange(20) % Z
    settings = options.pop("settings", Settings(batch=10))
    return Attacked(network(), x, labels, Z, settings, **options)


def test_operations_are_those_of_the_closed_form():
    job = attacked()
    assert job.forward == FORWARD
    assert job.both == 2 * FORWARD, "back to the input once, and not to the weights"
    model, x = network(), torch.rand(5, C, S, S)
    counted = operations(lambda: model(x).sum().backward())
    assert counted == 5 * (2 * CONVOLUTION + 3 * DENSE), "no gradient to the images"


def test_attention_is_counted():
    layer = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x = torch.rand(1, 6, 8)
    projections, products = 2 * 6 * 8 * (3 * 8 + 8), 2 * (2 * 6 * 6 * 8)
    with torch.no_grad():
        counted = operations(lambda: layer(x.clone(), x.clone(), x.clone(), need_weights=False))
    assert counted in (products, projections + products)  # a fused kernel hides its projections
    assert operations(lambda: layer(x, x, x, need_weights=False)) == projections + products


def test_what_is_kept_for_the_gradient():
    model, x = network(), torch.rand(4, C, S, S)
    kept = saved_bytes(lambda: model(x), model.parameters())
    # The convolution keeps its input, ReLU its result, which pooling shares, the last its input.
    assert kept == 4 * 4 * (C * S * S + K * S * S + K * S * S // 4)


def test_the_largest_operation():
    model, x = network(), torch.rand(4, C, S, S)
    with torch.no_grad():
        largest = largest_bytes(lambda: model(x), model.parameters())
    # ReLU, or the pooling behind it, has the convolution's result at its input and gives a copy.
    assert largest == 4 * 4 * (K * S * S + max(C * S * S, K * S * S))


@pytest.mark.parametrize("order", ["margin", None])
def test_inputs_that_cannot_be_perturbed_are_planned_for_where_none_is(order):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.dense = nn.Embedding(10, 6), nn.Linear(6, 3)

        def forward(self, ids, mask):
            return self.dense(self.embedding(ids).mul(mask[..., None]).sum(1))

    ids = torch.arange(40).view(8, 5) % 10
    x = Inputs({"ids": ids, "mask": torch.ones_like(ids)})
    model, labels = as_model(Words().eval()), torch.zeros(8).long()
    settings = Settings(order=order, batch=4)
    job = Attacked(model, x, labels, 3, settings, audit=True)
    plan = plan_attacked("audit", job, 100, Hardware(flops=1e9))
    assert plan["forward pass"] == 2 * 6 * 3
    assert plan["operations"] == 100 * plan["forward pass"]
    assert plan["largest operation"] == 8 * 5 + 2 * 4 * 5 * 6  # the mask, and embeddings twice
    assert plan["memory of a device"] == plan["weights"] + 4 * plan["largest operation"]


def test_each_line_follows_from_those_it_names():
    panel = ("gaussian_noise", "fog")
    from arcal.auditing import shift_sets

    settings = Settings(batch=10, panel=shift_sets([f"{type}-3" for type in panel]))
    job = attacked(settings=replace(settings, panel=()))
    plan = plan_attacked("score", job, 1000, Hardware(card="a100", utilisation=0.25), (1, 8))
    assert plan["passes"] == 48
    assert plan["operations"] == 1000 * (48 * 2 * FORWARD + 2 * FORWARD)
    assert plan["rate of a device"] == 0.25 * 19.5e12
    assert plan["device hours"] == pytest.approx(plan["operations"] / (0.25 * 19.5e12) / 3600)
    assert plan["time on 8"] == plan["device hours"] / 8
    assert plan["scores"] == 1000 * plan["a row"]
    job = attacked(audit=True, passes=26.0, settings=replace(settings, panel=()))
    plan = plan_attacked("audit", job, 1000, Hardware(flops=1e9))
    assert plan["operations"] == 1000 * (26 * 2 * FORWARD + 4 * FORWARD)
    assert plan["rate of a device"] == 1e9


def test_an_audit_adds_the_panel_and_what_a_core_corrupts():
    from arcal.auditing import shift_sets

    x, labels = torch.rand(10, C, 32, 32), torch.arange(10) % Z
    model = nn.Sequential(network()[0], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(K, Z))
    settings = Settings(batch=10, panel=shift_sets(["gaussian_noise-3", "contrast-3"]))
    job = Attacked(model.eval(), x, labels, Z, settings, audit=True)
    plan = plan_attacked("audit", job, 500, Hardware(flops=1e9), (2,))
    assert plan["forward passes"] == 6
    hours = plan["device hours"] + plan["corrupting"]
    assert plan["time on 2"] == pytest.approx(hours / 2)
    assert plan["corrupting"] == pytest.approx(500 * plan["corrupting an input"] / 3600)


def test_threads_are_restored_where_images_cannot_be_corrupted():
    from arcal.auditing import shift_sets

    settings = Settings(panel=shift_sets(["gaussian_noise-3"]))
    job = Attacked(network(), torch.rand(2, 5, 8, 8), torch.arange(2), Z, settings, audit=True)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ArcalError):
            job.corrupting()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("audit", [False, True])
@pytest.mark.parametrize("order", ["gradient", "margin", "none"])
def test_rankings_take_the_passes_that_are_run(order, audit):
    settings = Settings(order=None if order == "none" else order, batch=20)
    job = attacked(settings=settings, audit=audit)
    plan = plan_attacked("audit" if audit else "score", job, 100, Hardware(flops=1e9))
    passes = {"gradient": 2 * FORWARD, "margin": 0, "none": 0}[order]
    assert plan["operations"] == 100 * (passes + plan["forward passes"] * FORWARD)
    if order == "none" and not audit:
        return  # then there is nothing to run
    rows = []
    assert isinstance(job.model, nn.Module)
    job.model.register_forward_pre_hook(lambda module, x: rows.append(len(x[0])))
    run = audit_block if audit else score_block
    run(job.model, torch.arange(20), job.x, job.labels, settings)
    whole = [n for n in rows if n == 20]  # a few are run again, to see that it is steady
    assert len(whole) == plan["forward passes"] + (order == "gradient")
    assert sum(rows) - 20 * len(whole) <= 8


def test_passes_are_those_of_the_data_where_it_is_tried():
    job = attacked(from_data=True)
    spent = job.tried.passes
    assert spent is not None
    here = plan_attacked("score", job, 100, Hardware(seconds=0.01))
    assert here["passes"] == pytest.approx(float(spent.double().mean()))
    assert plan_attacked("score", job, 100, Hardware(flops=1e9))["passes"] == 48


def test_training_is_counted_by_the_method_itself():
    plain = Training(Run(), 1000, 500, (1, 28, 28), 10, Compute())
    mixed = replace(plain, run=Run(settings={"augmix": 1.0}))
    assert 2 * plain.ranking.forward < plain.step() < 3 * plain.ranking.forward
    assert mixed.step() == pytest.approx(3 * plain.step(), rel=0.01), "three views of each image"
    plan = plan_training("train", plain, Hardware(flops=1e9), (1, 4), reading=100.0)
    assert plan["training"] == 30 * 1000 * plan["step"]
    assert plan["evaluation"] == 30 * 500 * plan["forward pass"]
    assert plan["operations"] == plan["training"] + plan["evaluation"]
    assert plan["images a second on 4"] == pytest.approx(4 * plan["images a second on 1"])
    assert plan["sent by each of 4"] == 1.5 * plan["weights"]
    assert plan["memory of each of 1"] == pytest.approx(
        4 * plan["weights"] + 128 * plan["kept for the gradient"]
    )


def test_what_a_network_of_others_is_tried_with_is_no_step(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\n\ndef network(classes):\n"
        "    layers = [nn.Flatten(), nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, classes)]\n"
        "    return nn.Sequential(*layers)\n"
    )
    monkeypatch.chdir(tmp_path)
    job = Training(Run(network="mine.py:network"), 1000, 500, (1, 28, 28), 10, Compute())
    first, last = 2 * 784 * 50, 2 * 50 * 10
    assert job.ranking.forward == first + last
    assert job.step() == 2 * first + 3 * last, "no gradient of the images"


@pytest.mark.parametrize(
    ("method", "settings", "views"),
    [
        ("label-smoothing", {"augmix": 12.0}, 3),
        ("ar-adals", {"augmix": 12.0, "regmixup": 20.0}, 4),
        ("ccat", {}, 1),
        ("vanilla", {"perturbed": 0.1, "mixup": 0.2}, 1),
    ],
)
def test_images_that_go_through_at_once_are_counted_in_memory(method, settings, views):
    job = Training(Run(method=method, settings=settings), 1000, 500, (1, 28, 28), 10, Compute())
    plan = plan_training("train", job, Hardware(flops=1e9))
    memory = 4 * plan["weights"] + views * 128 * plan["kept for the gradient"]
    assert plan["memory of each of 1"] == pytest.approx(memory)


def test_a_method_that_ranks_takes_its_vanilla_run_and_its_rankings():
    settings = {"order": "gradient", "rescore": [10, 20]}
    job = Training(Run(method="ar-adals", settings=settings), 1000, 500, (1, 28, 28), 10, Compute())
    plan = plan_training("train", job, Hardware(flops=1e9))
    assert plan["rankings"] == 3, "before training, and twice on the fly"
    assert plan["ranking"] == 3 * 1500 * plan["pass"]
    assert plan["evaluation"] == 2 * 30 * 500 * plan["forward pass"]
    parts = ("training", "vanilla", "evaluation", "ranking")
    assert plan["operations"] == pytest.approx(sum(plan[part] for part in parts))


@pytest.mark.parametrize(("by", "passes"), [("attack", 16), ("gradient", 1)])
def test_images_perturbed_by_their_distance_are_ranked_by_that(by, passes):
    run = Run(settings={"perturbed": 0.5, "perturbed_by": by})
    job = Training(run, 1000, 500, (1, 28, 28), 10, Compute())
    plan = plan_training("train", job, Hardware(flops=1e9))
    assert plan["passes"] == passes
    beside = (0 if by == "gradient" else 2) * plan["forward pass"]
    whole = 1000 * (passes * plan["pass"] + beside)
    assert plan["ranking"] == pytest.approx(whole), "of training images alone"


def test_only_training_is_in_bf16():
    run = Run(recipe=replace(RECIPES["fast"], epochs=2, warmup=0), seeds=(0, 1))
    job = Training(run, 1000, 500, (1, 28, 28), 10, Compute())
    plan = plan_training("train", job, Hardware(card="a100", utilisation=0.5))
    assert plan["rate of a device"] == 156e12
    assert plan["rate in float32"] == 9.75e12
    hours = 2 * (plan["training"] / 156e12 + plan["evaluation"] / 9.75e12) / 3600
    assert plan["device hours"] == pytest.approx(hours)
    assert plan["operations"] == 2 * (plan["training"] + plan["evaluation"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    torch.set_num_threads(1)
    source = str(write_tiny(tmp_path_factory.mktemp("data"), N=600, test=400))
    run = Run(data=source, recipe=RECIPES["demo"].shortened(3), validation=100)
    return run, train(run, tmp_path_factory.mktemp("runs"))


def test_bytes_are_those_of_files_that_are_then_written(trained, tmp_path):
    run, folder = trained
    data = data_of(folder)
    job = Training(run, 500, 100, data.shape, 3, Compute())
    checkpoint = plan_training("train", job, Hardware(flops=1e9))["checkpoint"]
    assert folder.checkpoint.stat().st_size == pytest.approx(checkpoint, rel=0.15)

    part = InMemory("drawn", *_rows(2000))
    score_run(folder, part, "drawn", "margin")
    planned = plan_attacked("score", job.ranking, 2000, Hardware(flops=1e9))["scores"]
    written = score_file(folder, "drawn", "margin").stat().st_size
    assert written == pytest.approx(planned, rel=0.25)

    examples = Examples.from_part(part.subset(part.ids[:200]))
    settings = Settings(order="attack", attack=BoundaryProjection(3, starts=0), batch=100)
    model = job.ranking.model
    stored = Job("drawn", model, examples, settings=settings, work=tmp_path)
    list(in_order(AuditBlocks(stored, examples, settings)))
    x = examples.read(torch.arange(100))
    assert isinstance(x, torch.Tensor)
    audit = Attacked(model, x, examples.labels[:100], 3, settings, audit=True)
    planned = plan_attacked("audit", audit, 200, Hardware(flops=1e9))["blocks"]
    written = sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors"))
    assert written == pytest.approx(planned, rel=0.05)

    list(in_order(ScoreBlocks(stored, examples, settings)))
    scoring = replace(audit, audit=False)
    planned = plan_attacked("score", scoring, 200, Hardware(flops=1e9))["blocks"]
    written = sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert written == pytest.approx(planned, rel=0.15)


def _rows(N):
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (N, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return torch.arange(N), torch.arange(N) % 3, ("a", "b", "c"), pixels


@pytest.mark.slow
def test_seconds_are_those_of_a_run_within_a_factor(tmp_path):
    """Of three, either way: another process may take the core meanwhile."""
    run = Run(recipe=RECIPES["small"].shortened(1), images=2000, validation=500)
    data = load("fashion", images=2000, validation=500)
    with Compute(threads=1).limited():
        job = Training(run, 2000, 500, data.shape, 10, Compute(threads=1))
        planned = 3600 * plan_training("train", job, Hardware(seconds=1.0))["device hours"]
    (record,) = train(run, tmp_path, data=data).epochs()
    assert planned / 3 < record["seconds"] < 3 * planned


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"card": "a100"}, "belong together"),
        ({"utilisation": 0.3}, "belong together"),
        ({"card": "abacus", "utilisation": 0.3}, "choose from a100, h100, l4"),
        ({"card": "a100", "utilisation": 1.5}, "at most 1"),
        ({"card": "a100", "utilisation": 0.3, "flops": 1e12}, "two rates"),
        ({"flops": 0.0}, "above 0"),
        ({"seconds": 0.0}, "--seconds"),
    ],
)
def test_a_rate_is_never_made_up(options, says):
    with pytest.raises(ArcalError, match=says):
        Hardware(**options)


def test_a_model_without_products_is_refused():
    def model(x):
        mean = x.mean((1, 2, 3))
        return torch.stack([mean, 1 - mean], dim=1)

    job = Attacked(model, torch.rand(4, 3, 8, 8), torch.zeros(4).long(), 2, Settings())
    with pytest.raises(ArcalError, match="no matrix product and no convolution"):
        plan_attacked("score", job, 100, Hardware(flops=1e9))


def test_a_plan_is_text_of_any_width_and_json():
    lines = [Line("inputs", 1e8, "", "given"), Line("hours", 0.001, "h", "a formula " * 12)]
    plan = Plan("score net", lines)
    assert "100,000,000" in plan.text(80)
    assert "3.60 s" in plan.text(80)
    assert max(map(len, plan.text(80).splitlines())) <= 80
    assert json.loads(json.dumps(plan.as_json()))["lines"][1]["value"] == 0.001


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0, "FLOP", "0 FLOP"),
        (999.0, "B", "999 B"),
        (1e9, "FLOP/s", "1.00 GFLOP/s"),
        (2.5e27, "FLOP", "2,500 YFLOP"),
        (1234.5, "h", "1,234 h"),
        (90, "s", "1.50 min"),
        (0.3, "", "0.3"),
    ],
)
def test_values_are_shown_as_people_read_them(value, unit, shown):
    assert Line("", value, unit, "").shown == shown
