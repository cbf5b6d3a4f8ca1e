"""The smallest perturbations: arcal's attacks against public ones, distances and times.

    python -m benchmarks.attacks --write

prints the tables of `docs/notebook/attacks.md` and writes them there. The networks are trained when
they are first needed. Every measurement is kept in the cache folder, so that a killed run
continues, and only those of arcal's attacks that have changed are measured again. Delete the folder
to measure everything in one run.
"""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from typing import Literal

import torch
import tyro

from arcal.compute.processes import keep_memory
from arcal.errors import ArcalError
from benchmarks.measure import Cache
from benchmarks.peers import Contestant, ours, peers
from benchmarks.settings import SETTINGS, Draw, Setting
from benchmarks.table import Row, attacks_table, calls, carlini_wagner_claims, pass_costs, row

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "notebook" / "attacks.md"
REFERENCES = ("foolbox-cw", "alma-1000")
WRITTEN = ("cifar10", "fashion")
"""The settings that the document has a place for."""


@dataclass(frozen=True)
class Options:
    """Benchmark the attacks for the smallest perturbation."""

    setting: Literal["cifar10", "fashion", "vit", "vgg", "robust-vgg", "digits", "all"] = "all"
    """What is attacked."""
    norm: Literal["l2", "linf"] = "l2"
    """What distances are measured by."""
    images: int = 512
    """How many test inputs."""
    fresh: bool = False
    """Attack inputs that are not for tuning; look at them once, and then take another --draw."""
    draw: int = 0
    """Which block of so many inputs."""
    write: bool = False
    """Write the tables of the settings that the document has a place for into it."""
    batch: int = 64
    """How many of them at a time."""
    only: tuple[str, ...] = ()
    """Names, or parts of names, of the attacks to run."""
    skip: tuple[str, ...] = ()
    """Names of attacks to leave out."""
    quick: bool = False
    """64 images and no attack of 1,000 passes or more."""
    slow: bool = False
    """Add foolbox's attack without its early stop."""
    cache: Path = Path(".benchmarks")
    """Where measurements, and the networks trained for them, are kept."""


def main(options: Options) -> None:
    """Run, print, and write the document."""
    if min(options.images, options.batch) < 1:
        raise ArcalError("--images and --batch must be at least 1")
    torch.set_num_threads(1)
    keep_memory()
    if options.write and options.norm != "l2":
        raise ArcalError("--write is of L2: the document has no tables of another norm")
    found, missing = peers(slow=options.slow, norm=options.norm)
    print(*missing, sep="\n", end="\n" * bool(missing), file=sys.stderr)
    contestants = chosen(found + ours(options.norm), options)
    images = min(options.images, 64) if options.quick else options.images
    for name, load in SETTINGS.items():
        if options.setting not in (name, "all"):
            continue
        where = load(Draw(images, options.fresh, options.draw), options.cache)
        rows = run(where, contestants, Cache(options.cache / "measured", now()), options.batch)
        text = "\n\n".join(section(where, rows, options.batch, missing))
        print(f"\n## {name}\n\n{text}\n", flush=True)
        if options.write and name in WRITTEN:
            write(DOCUMENT, name, text)


def chosen(contestants: Sequence[Contestant], options: Options) -> list[Contestant]:
    """The attacks that the options select."""
    unknown = set(options.skip) - {who.name for who in contestants}
    if unknown:
        raise ArcalError(f"no attack is called {min(unknown)}: it cannot be left out")
    kept = [who for who in contestants if not (options.quick and who.long)]
    kept = [who for who in kept if who.name not in options.skip]
    if options.only:
        names = {who.name for who in contestants}
        parts = [part for part in options.only if part not in names]  # the others are whole names
        kept = [w for w in kept if w.name in options.only or any(part in w.name for part in parts)]
    if not kept:
        names = ", ".join(who.name for who in contestants)
        raise ArcalError(f"no attack is called {' or '.join(options.only)}: there are {names}")
    return kept


def run(where: Setting, contestants: Sequence[Contestant], cache: Cache, size: int) -> list[Row]:
    """Every attack on a batch in turn, then on the next, so that disturbances affect all alike."""
    batches = -(-len(where.images) // size)
    measured = {who.name: [] for who in contestants}
    for batch in range(batches):
        for who in contestants:
            one = cache.measured(who, where, batch, size)
            measured[who.name].append(one)
            print(
                f"{where.name} {batch + 1}/{batches} {who.name}: "
                f"{1000 * one.seconds / len(one.distance):.1f} ms/image",
                file=sys.stderr,
                flush=True,
            )
    return [row(who, measured[who.name]) for who in contestants]


def section(where: Setting, rows: list[Row], size: int, missing: list[str]) -> list[str]:
    """The paragraphs of one setting."""
    runs = sorted(frozenset().union(*(row.runs for row in rows)))
    if len(runs) == 1:
        times = f"All times are from one run, {runs[0]}."
    else:
        times = f"Times are from {len(runs)} runs ({', '.join(runs)}): their ratios are less sure."
    parts = [
        f"{where.about}; {len(where.images)} test images, batches of {size}.",
        attacks_table(rows, where.ids, REFERENCES),
        pass_costs(rows),
        carlini_wagner_claims(rows),
        calls(rows),
        f"{times} {machine()}",
        *missing,
    ]
    return [part for part in parts if part]


def machine() -> str:
    """The processor, the releases and the command of this measurement."""
    try:
        about = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        about = ""
    names = [line.partition(":")[2].strip() for line in about.splitlines() if "model name" in line]
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = " with changes" if _git("status", "--porcelain", "--", "src", "benchmarks") else ""
    command = shlex.join(["python", "-m", "benchmarks.attacks", *sys.argv[1:]])
    return (
        f"{names[0] if names else 'Unknown processor'}, {cpu_count()} cores, one thread; torch "
        f"{torch.__version__}; commit {commit}{changed}; `{command}`."
    )


def _git(*command: str) -> str:
    try:
        done = subprocess.run(
            ["git", *command], capture_output=True, text=True, cwd=ROOT, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def now() -> str:
    """The time, which serves as the name of a run."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def write(document: Path, name: str, text: str) -> None:
    """Put the text between the markers of its setting."""
    old = document.read_text("utf-8")
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- {name}: end -->"
    head, found, rest = old.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ArcalError(f"{document} has no markers {begin.strip()} and {end}: put them back")
    document.write_text(f"{head}{begin}\n{text}\n\n{end}{tail}", "utf-8")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except ArcalError as error:
        sys.exit(f"error: {error}")
