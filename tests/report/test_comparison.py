"""What is computed once of all subjects: the reference, what can be boxed, what is refused."""

from dataclasses import replace

import pytest

from arcal.auditing import shift_sets
from arcal.errors import ArcalError
from arcal.report.names import compare


def test_the_reference_is_vanilla_as_it_is(maker):
    def reference(*subjects):
        return compare(subjects, 10, maker.Z).reference.name.label

    mixed, plain = maker.subject(settings={"mixup": 0.2}), maker.subject()
    calibrated = replace(plain, method=replace(plain.method, posthoc="temperature"))
    assert reference(mixed, maker.subject(settings={"noise": 0.1}), plain) == "vanilla"
    assert reference(maker.subject("adals"), mixed) == "vanilla (mixup 0.2)"
    assert reference(maker.subject("adals"), calibrated).startswith("adals")
    assert reference(replace(plain, name="mine", method=None), plain) == "vanilla"


def test_a_box_plot_needs_three_types_at_two_intensities(maker):
    few = [*(f"{type}-2" for type in ("fog", "snow", "frost")), "fog-5"]
    enough = [*few, "snow-5", "frost-5", "fog-4"]
    for names, expected in ((few, []), (enough, [2, 5])):
        subject = maker.subject(sets=shift_sets(names), seeds=(0,))
        assert compare([subject], 10, maker.Z).boxed == expected


def test_one_order_ranks_all_runs_of_all_subjects(maker):
    subject = maker.subject()
    assert compare([subject, maker.subject("adals")], 10, maker.Z).order == "gradient"
    first, *others = subject.robustness
    mixed = replace(subject, robustness=[replace(first, order="margin"), *others])
    with pytest.raises(ArcalError, match="images were ranked by gradient, margin: use one order"):
        compare([mixed], 10, maker.Z)


@pytest.mark.parametrize(
    "missing", [{"robustness": ()}, {"predictions": {}}], ids=["scores", "predictions"]
)
def test_a_subject_that_cannot_be_shown_by_level_is_refused(maker, missing):
    with pytest.raises(ArcalError, match=r"vanilla: figures by level need .* of its 3 runs: score"):
        compare([replace(maker.subject(), **missing)], 10, maker.Z)
