"""One GPU against the CPU: the same figures, and how much of the GPU is used.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --accelerator cpu --seconds 0.1 --networks small --size 256 --images 50

The exit code is 1 if the GPU's figures are not the CPU's: weights after some steps, distances that
are verified on the CPU, predictions and their measures; or if a network does not compile as one
graph. Rates are printed beside what the GPU reaches in the same run: operations of matrix products
in the same precision, and bytes copied. The second line rehearses this on a CPU. **It has not run
on a GPU yet.**
"""

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import tyro
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from arcal.attacks import BoundaryProjection
from arcal.attacks.logit_checks import checked_logits
from arcal.attacks.model import frozen
from arcal.auditing import figures
from arcal.compute import Compute
from arcal.compute.device import fabric_on
from arcal.data import as_input, load
from arcal.errors import ArcalError
from arcal.evaluation import predict_part
from arcal.methods import Vanilla
from arcal.networks import build
from arcal.training import RECIPES, Run, train
from arcal.training.draws import draw
from arcal.training.recipes import Precision
from arcal.training.saved_run import model_of

CPU = torch.device("cpu")
PRECISIONS: tuple[Precision, Precision] = ("32-true", "bf16-mixed")
DTYPES = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}


@dataclass(frozen=True)
class Options:
    """Check one device against the processor, and time it."""

    accelerator: str = "gpu"
    """gpu, or cpu for a rehearsal."""
    networks: tuple[str, ...] = ("small", "fast", "resnet29", "wrn-28-10")
    """Those that are timed and compiled."""
    seconds: float = 3.0
    """How long each rate is measured."""
    size: int = 8192
    """Rows and columns of the matrices whose product is the ceiling."""
    images: int = 2000
    """Test images that are attacked and predicted."""


@dataclass
class Report:
    """What was found, one line each, and whether all checks held."""

    failed: int = 0

    def say(self, text: str) -> None:
        print(text, flush=True)

    def check(self, what: str, value: float, most: float) -> None:
        """A figure that may be `most` at most."""
        held = value <= most
        self.failed += not held
        self.say(f"{'ok    ' if held else 'FAILED'}  {what}: {value:.3g} (at most {most:g})")


def main(options: Options) -> None:
    """Print ceilings, checks and rates."""
    torch.set_num_threads(1)
    device = Compute(options.accelerator).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    report = Report()
    report.say(f"torch {torch.__version__} on {name}")
    ceilings = ceilings_of(device, options)
    for precision, rate in ceilings.items():
        report.say(f"matrix products, {precision}: {rate / 1e12:.3g} TFLOP/s")
    report.say(f"copying: {copying(device, options) / 1e9:.3g} GB/s")
    for network in options.networks:
        time_training(network, ceilings, device, options, report)
        check_graph(network, report)
    check_steps(options, device, report)
    with TemporaryDirectory() as folder:
        check_trained(Path(folder), device, options, report)
    sys.exit(1 if report.failed else 0)


def ceilings_of(device: torch.device, options: Options) -> dict[str, float]:
    """Operations per second of a large matrix product, by precision; float32 without TF32."""
    rates = {}
    for precision, dtype in DTYPES.items():
        a = torch.rand(options.size, options.size, device=device).to(dtype)
        with frozen(nn.Identity()):  # in whole float32
            seconds = seconds_of(lambda a=a: a @ a, device, options.seconds)
        rates[precision] = 2 * options.size**3 / seconds
    return rates


def copying(device: torch.device, options: Options) -> float:
    """Bytes read and written per second when a tensor is copied on the device."""
    a = torch.zeros(options.size**2, device=device)
    b = torch.empty_like(a)
    return 2 * a.nbytes / seconds_of(lambda: b.copy_(a), device, options.seconds)


def time_training(
    name: str, ceilings: dict[str, float], device: torch.device, options: Options, report: Report
) -> None:
    """Images per second of training steps, their share of the ceiling, and waits per step."""
    for precision in PRECISIONS:
        step, size = training_step(name, precision, options.accelerator)
        work = operations(step)
        seconds = seconds_of(step, device, options.seconds)
        report.say(
            f"training {name}, {precision}: {size / seconds:,.0f} images/s in batches of {size}, "
            f"{100 * work / seconds / ceilings[precision]:.1f} % of matrix products"
        )
        if device.type == "cuda":
            report.check(f"waits in a step of {name}, {precision}", waits_of(step), 0)


def operations(function: Callable[[], object]) -> int:
    """Operations of the matrix products and convolutions in a call, two for a multiply-add."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def training_step(name: str, precision: Precision, on: str) -> tuple[Callable[[], object], int]:
    """A step of a network by the recipe of its name, on random images that are on the device."""
    fabric, recipe, method = fabric_on(on, precision), RECIPES[name], Vanilla(10)
    network = build(name, classes=10, shape=(3, 32, 32), generator=draw(0, "init"))
    network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    model, optimizer = fabric.setup(network, recipe.optimizer_for(network))
    size = recipe.batch_size
    x = torch.rand(size, 3, 32, 32, generator=draw(0, "images")).to(fabric.device)
    x = x.contiguous(memory_format=torch.channels_last)
    ids, labels = torch.arange(size), torch.arange(size) % 10
    there = labels.to(fabric.device)

    def step() -> None:
        optimizer.zero_grad()
        fabric.backward(method.loss(model, ids, x, there))
        optimizer.step()

    return step, size


def check_graph(name: str, report: Report) -> None:
    """Whether `torch.compile` makes one graph of a network."""
    network = build(name, classes=10, shape=(3, 32, 32), generator=draw(0, "init")).eval()
    explained = torch._dynamo.explain(network)(torch.zeros(2, 3, 32, 32))
    report.check(f"breaks in the graph of {name}", explained.graph_break_count, 0)


def check_steps(options: Options, device: torch.device, report: Report) -> None:
    """Weights of a small network after ten steps on the device and on the processor."""
    after = []
    for on in (options.accelerator, "cpu"):
        fabric, method = fabric_on(on), Vanilla(10)
        network = build("small", classes=10, shape=(1, 28, 28), generator=draw(0, "init"))
        model, optimizer = fabric.setup(network, torch.optim.SGD(network.parameters(), 0.05))
        x = torch.rand(64, 1, 28, 28, generator=draw(0, "images")).to(fabric.device)
        ids, labels = torch.arange(64), torch.arange(64) % 10
        with frozen(nn.Identity()):
            for _ in range(10):
                optimizer.zero_grad()
                fabric.backward(method.loss(model, ids, x, labels.to(fabric.device)))
                optimizer.step()
        after.append(torch.cat([w.detach().cpu().flatten() for w in network.parameters()]))
    there, here = after
    distance = (there - here).norm() / here.norm()
    report.check("weights after ten steps, relative distance", float(distance), 1e-4)


def check_trained(folder: Path, device: torch.device, options: Options, report: Report) -> None:
    """Distances and predictions of a network that was trained on the device."""
    run = Run(recipe=RECIPES["small"].shortened(4), images=6000)
    compute = Compute(options.accelerator)
    start = time.perf_counter()
    trained = train(run, folder, compute=compute)
    report.say(f"training four epochs of 6,000 images: {time.perf_counter() - start:.1f} s")
    here, there = model_of(trained).eval(), model_of(trained).eval().to(device)
    test = load(run.data, test_images=options.images).test

    known, predicted = predict_part([here], test, CPU), predict_part([there], test, device)
    apart = (predicted.log_probabilities - known.log_probabilities).abs().max()
    report.check("log-probabilities apart", float(apart), 1e-3)
    expected, measured = figures(known), figures(predicted)
    for name in ("accuracy", "ece", "nll"):
        report.check(f"{name} apart", abs(measured[name] - expected[name]), 1e-3)

    x = as_input(test.images(torch.arange(min(len(test), 200))), CPU)
    attack = BoundaryProjection()
    found, mine = attack(there, x.to(device)), attack(here, x)
    with torch.no_grad():
        z, found_z = checked_logits(here, x), checked_logits(here, found.x.cpu())
    wrong = found_z.argmax(1) == z.argmax(1)
    report.check("adversarial inputs that the processor does not confirm", float(wrong.sum()), 0)
    ratio = (found.distance.cpu() / mine.distance).log().abs()
    report.check(
        "distances apart by more than 2 %, share", float((ratio > 0.02).double().mean()), 0.05
    )
    time_attack(there, as_input(test.images(torch.arange(len(test))), device), options, report)


def time_attack(model: nn.Module, x: Tensor, options: Options, report: Report) -> None:
    """Images per second of the default attack, those of its passes alone, and waits per pass."""
    attack, device = BoundaryProjection(), x.device
    for size in sorted({min(100, len(x)), len(x)}):
        batch = x[:size]
        seconds = seconds_of(lambda batch=batch: attack(model, batch), device, options.seconds)
        spent = attack(model, batch).passes
        passes = float(spent.double().mean())
        floor = passes * seconds_of(lambda batch=batch: one_pass(model, batch), device, 0.2)
        report.say(
            f"attacking {size} images at once: {size / seconds:,.0f} images/s, {passes:.1f} passes "
            f"an image, {seconds / floor:.2f} times their passes alone"
        )
        if device.type == "cuda":
            waits = waits_of(lambda batch=batch: attack(model, batch)) / int(spent.max())
            report.check(f"waits a pass, {size} images at once", waits, 4.5)


def one_pass(model: nn.Module, x: Tensor) -> Tensor:
    """A forward pass, and back to the input."""
    x = x.detach().requires_grad_()
    with frozen(model):
        return torch.autograd.grad(model(x).amax(1).sum(), x)[0]


def seconds_of(function: Callable[[], object], device: torch.device, at_least: float) -> float:
    """The mean seconds of a call, over calls for this long, after three that warm up."""
    for _ in range(3):
        function()
    finish(device)
    calls, begin = 0, time.perf_counter()
    while calls < 3 or time.perf_counter() - begin < at_least:
        function()
        calls += 1
        if calls % 10 == 0:
            finish(device)  # else calls that wait for nothing would pile up
    finish(device)
    return (time.perf_counter() - begin) / calls


def finish(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def waits_of(function: Callable[[], object]) -> int:
    """How often a call waits for CUDA, by its own warnings."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            function()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchronizing CUDA operation" in str(one.message) for one in caught)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except ArcalError as error:
        sys.exit(f"benchmarks.gpu: {error}")
