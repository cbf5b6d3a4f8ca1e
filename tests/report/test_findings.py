import pytest

from arcal.report import findings
from arcal.report.study import study
from arcal.report.tables import Spread


@pytest.fixture
def compared(made):
    def of(*, smoothing, adaptive, seeds=(0, 1, 2), sets=("test",)):
        runs = [
            made.runs(seeds=seeds, sets=sets),
            made.runs("label-smoothing", {"epsilon": 0.1}, seeds=seeds, gap=smoothing, sets=sets),
            made.runs("ar-adals", {"R": 5}, seeds=seeds, gap=adaptive, sets=sets),
        ]
        return study(runs, 10, made.Z)

    return of


def test_the_headline_names_whoever_is_lowest(compared):
    first = compared(smoothing=0.0, adaptive=0.15)
    amount = findings.ECE.show_spread(first.methods[1].measures["test"]["ece"])
    assert findings.headline(first) == (
        "On the clean test set, Label smoothing has the lowest expected calibration error "
        f"(ECE {amount} points over 3 runs)."
    )
    other_way = compared(smoothing=0.15, adaptive=0.0)
    assert "AR-AdaLS has the lowest" in findings.headline(other_way)
    assert "Label smoothing" not in findings.headline(other_way)


def test_the_headline_tells_shift_from_clean(compared):
    # the second set is more over-confident: there the method that smooths more is lower
    found = compared(smoothing=-0.15, adaptive=0.1, sets=("test", "test-gaussian_noise-3"))
    text = findings.headline(found)
    clean, shift = text.split("; ")
    assert "AR-AdaLS has the lowest" in clean
    assert shift.startswith("under Gaussian noise of intensity 3, Label smoothing has the lowest")
    two = ("test", "test-fog-1", "test-snow-1")
    same = findings.headline(compared(smoothing=0.2, adaptive=-0.1, sets=two))
    assert ", and on average over the 2 corrupted test sets the lowest, too (" in same


def test_a_lead_on_some_seeds_only_is_no_lead(compared):
    def sentence(found):
        return next(text for text in findings.remarks(found) if text.startswith("On the clean"))

    assert "lower on each of the 3 seeds" in sentence(compared(smoothing=0.0, adaptive=0.2))
    one = compared(smoothing=0.0, adaptive=0.2, seeds=(0,))
    assert "may be chance" in sentence(one)

    mixed = compared(smoothing=0.0, adaptive=0.2)
    for method, values in zip(mixed.methods[1:], ((1, 3, 2), (2, 2, 3)), strict=True):
        method.measures["test"]["ece"] = Spread(tuple(v / 100 for v in values))
    assert sentence(mixed) == (
        "On the clean test set, Label smoothing has an ECE of 2.00 ± 1.00 points and AR-AdaLS, the "
        "next, of 2.33 ± 0.58 points: lower on 2 of the 3 seeds they share, so these runs do not "
        "tell the two apart."
    )
    mixed.methods[2].seeds[0] = (7,)
    assert (
        "lower on 1 of the 2 seeds they share (their means are over different seeds)"
        in sentence(mixed)
    )


def test_ties_are_called_ties(compared):
    found = compared(smoothing=0.0, adaptive=0.0)
    assert "Label smoothing and AR-AdaLS share the lowest" in findings.headline(found)
    *_, wins = findings.remarks(found)
    assert wins == (
        "Of 5 comparisons (5 measures, 1 test set), the best mean: "
        "Vanilla in 0; Label smoothing in 0; AR-AdaLS in 0; a tie in 5."
    )


def test_the_least_robust_levels_are_called_out(compared):
    found = compared(smoothing=0.0, adaptive=0.2)
    gaps = [method.levels.weakest_gap for method in found.methods]
    vanilla, smoothing, _ = (findings.GAP.show_spread(gap) for gap in gaps)
    assert findings.remarks(found)[0] == (
        f"In the 3 least robust levels of 10, Vanilla's confidence minus accuracy is {vanilla} "
        f"points; closest to 0 is Label smoothing with {smoothing} points."
    )
    worse = compared(smoothing=0.4, adaptive=0.4)
    assert findings.remarks(worse)[0].endswith("which no other method brings closer to 0.")


def test_one_method_is_compared_with_nothing(made):
    alone = study([made.runs(seeds=(0,))], 10, made.Z)
    assert findings.headline(alone).endswith("points for one run.")
    assert len(findings.remarks(alone)) == 1


def test_the_reference_is_vanilla_as_it_is(made):
    mixed, plain = made.runs("vanilla", {"mixup": 0.2}), made.runs()
    assert study([mixed, plain], 10, made.Z).reference.name.label == "vanilla"
    assert study([made.runs("adals"), mixed], 10, made.Z).reference.name.label.endswith("0.2)")
