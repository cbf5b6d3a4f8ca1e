"""Table 1: the vanilla networks and their accuracy, and what else the paper says of them.

They tend to be over-confident (section 3.1), the attack changes all their predictions (A.4), and
their confidence in training images is too near 100 % to rank those by (footnote 1).
"""

from collections.abc import Mapping

from arcal.auditing import Spread
from arcal.paper.item import Evaluated, Item, setting_notes, titled
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.rows import SAMPLE, SURE, TEST
from arcal.paper.spreads import clean
from arcal.paper.variants import VANILLA

PAPER = {
    "cifar10-resnet29": ("resnet29", "91.4"),
    "cifar100-wrn": ("wrn-28-10", "79.2"),
    "imagenet-resnet101": ("resnet101", "77.7"),
}
"""Network and accuracy in percent."""
NEAR = 0.5
"""Points below the paper's accuracy that still count as reaching it."""
COLUMNS = [
    "accuracy, %",
    "confidence − accuracy, points",
    "attacked with success, %",
    f"training images with confidence above {SURE:.0%}, %",
]


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    rows, claims = [], []
    for name, (_, printed) in PAPER.items():
        if name not in evaluated:
            continue
        one = evaluated[name]
        vanilla = one.figures(VANILLA)
        accuracy, gap = clean(vanilla, "accuracy"), clean(vanilla, "gap")
        attacked, sure = vanilla.runs(TEST, "attacked"), vanilla.runs(TEST, "sure")
        cells = [Cell(printed, accuracy), Cell(None, gap), Cell("100", attacked), Cell(None, sure)]
        rows.append((titled(one), cells))
        over = sum(value > 0 for value in gap.values)
        claims += [
            _accurate(one, accuracy),
            Claim(
                f"Vanilla tends to be over-confident ({one.title})",
                gap.mean > 0,
                f"confidence − accuracy {100 * gap.mean:+.2f} points, "
                f"above 0 on {over} of {len(gap.values)} seeds",
            ),
            Claim(
                f"The attack always changes the prediction ({one.title})",
                None if attacked is None else min(attacked.values) == 1,
                "not attacked"
                if attacked is None
                else _missed(attacked, vanilla.runs(TEST, "images")),
            ),
            Claim(
                "Confidence is no good order, being close to 100 % on nearly all training images "
                f"({one.title})",
                None if sure is None else sure.mean > 0.9,
                "not looked at"
                if sure is None
                else f"above {SURE:.0%} on {100 * sure.mean:.1f} % of them",
            ),
        ]
    notes = [
        *setting_notes(evaluated, list(PAPER)),
        "The attack is the one that ranks the images, here on the clean test set. Confidence on "
        f"training images is measured on about {SAMPLE:,} of them per run, or on all. More than 90 "
        "% counts as nearly all.",
    ]
    table = Table("Vanilla on the clean test set", COLUMNS, rows)
    return Result("table1", "Table 1: networks and accuracy", notes, [table], claims)


def _accurate(evaluated: Evaluated, accuracy: Spread) -> Claim:
    """Whether it is as accurate as the paper's, decided only for its network and all its images."""
    run, (network, printed) = evaluated.setting.run, PAPER[evaluated.setting.name]
    same = run.network == network and run.images is None and run.classes is None
    enough = 100 * accuracy.mean >= float(printed) - NEAR
    because = f"{100 * accuracy.mean:.2f} %"
    return Claim(
        f"Vanilla is right on at least {printed} %, to within {NEAR} points ({evaluated.title})",
        enough if same else None,
        because if same else f"{because}, of another network or fewer images",
    )


def _missed(attacked: Spread, images: Spread | None) -> str:
    N = 0 if images is None else round(images.mean)
    missed = round(N * sum(1 - share for share in attacked.values))
    return f"{missed} of {N * len(attacked.values):,} attacks failed"


ITEM = Item("table1", tuple(PAPER), (VANILLA,), make, scored=True, sure=True)
