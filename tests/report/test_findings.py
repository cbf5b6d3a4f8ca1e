"""The sentences of the report, on subjects whose figures are given."""

import pytest

from arcal.auditing import shift_sets
from arcal.report import findings
from arcal.report.names import compare
from made_up_subjects import with_figures


@pytest.fixture(scope="module")
def compared(maker):
    """Vanilla, label smoothing and AR-AdaLS; a larger gap is more over-confident everywhere."""

    def make(*, smoothing, adaptive, seeds=(0, 1, 2), shift=()):
        sets = shift_sets(shift) if shift else ()
        return compare(
            [
                maker.subject(seeds=seeds, sets=sets),
                maker.subject("label-smoothing", seeds=seeds, gap=smoothing, sets=sets),
                maker.subject("ar-adals", {"R": 5}, seeds=seeds, gap=adaptive, sets=sets),
            ],
            10,
            maker.Z,
        )

    return make


def test_a_lead_on_some_seeds_only_is_no_lead(compared, maker):
    def sentence(comparison):
        remarks = findings.remarks(comparison)
        return next(text for text in remarks if text.startswith("On the clean"))

    assert "lower on each of the 3 seeds" in sentence(compared(smoothing=0.0, adaptive=0.2))
    assert "may be chance" in sentence(compared(smoothing=0.0, adaptive=0.2, seeds=(0,)))

    def mixed(seeds):
        smoothing = maker.subject("label-smoothing")
        adaptive = maker.subject("ar-adals", seeds=seeds)
        return compare(
            [
                maker.subject(),
                with_figures(smoothing, ece=(0.01, 0.03, 0.02)),
                with_figures(adaptive, ece=(0.02, 0.02, 0.03)),
            ],
            10,
            maker.Z,
        )

    assert sentence(mixed((0, 1, 2))) == (
        "On the clean test set, Label smoothing has an ECE of 2.00 ± 1.00 points and AR-AdaLS, the "
        "next, of 2.33 ± 0.58 points: lower on 2 of the 3 seeds they share, so these runs do not "
        "tell the two apart."
    )
    assert (
        "lower on 1 of the 2 seeds they share (their means are over different seeds)"
        in sentence(mixed((7, 1, 2)))
    )
