"""The variants that are compared are runs that can be trained, each another."""

from arcal.methods.additions import ADDITIONS
from arcal.training.run import Run
from benchmarks.shift_methods import NOISES, OTHERS, VARIANTS


def test_every_variant_is_a_run_of_its_own():
    runs = [Run(method=method, settings=settings) for method, settings in VARIANTS.values()]
    assert all(runs.count(run) == 1 for run in runs)
    assert runs[0] == Run(), "the first, which others are held against, is vanilla"
    compared = {name for run in runs for name in run.settings}
    assert compared >= {one.name for one in ADDITIONS} - {"mixup"}
    assert len(OTHERS) == 15 - len(NOISES)
