"""What a result looks like on a page and in a file."""

import json

import pytest

from arcal.auditing import Spread
from arcal.paper.result import Cell, Claim, Result, Table, as_json, as_markdown

TWO = Spread((0.0102, 0.0106))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Cell("1.07±0.09", TWO), "1.04 ± 0.03"),
        (Cell(None, Spread((0.0102,))), "1.02"),
        (Cell("0.52", None), "–"),
        (Cell(None, Spread((1.5, 2.5)), scale=1.0, digits=1), "2.0 ± 0.7"),
        (Cell(None, Spread((-0.0345,))), "-3.45"),
    ],
)
def test_a_cell_is_mean_and_deviation_over_runs(cell, text):
    assert cell.text == text


@pytest.mark.parametrize(
    ("holds", "verdict"), [(True, "holds"), (False, "does not hold"), (None, "undecided")]
)
def test_a_claim_has_a_verdict(holds, verdict):
    assert Claim("A is lower than B", holds, "1 against 2").verdict == verdict


@pytest.fixture
def result():
    table = Table(
        "ECE", ["CIFAR-10", "CIFAR-100"], [("LS", [Cell("1.07", TWO), Cell("2.8", None)])]
    )
    claims = [Claim("A < B", None, "one seed"), Claim("A < C", False, "2 against 1")]
    return Result("table9", "Table 9: an example", ["First.", "Second."], [table], claims)


def test_a_page_shows_the_papers_number_beside_ours(result):
    page = as_markdown(result, "smoke")
    assert page.startswith("# Table 9: an example\n\n`arcal reproduce table9 --scale smoke`\n")
    assert "\nFirst.\n" in page
    assert "\nSecond.\n" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert rows == [
        "| | CIFAR-10 | CIFAR-100 |",
        "|---|---|---|",
        "| LS | 1.04 ± 0.03 (paper 1.07) | – (paper 2.8) |",
        "| claim | here | figures |",
        "|---|---|---|",
        "| A < B | **undecided** | one seed |",
        "| A < C | **does not hold** | 2 against 1 |",
    ]


def test_json_holds_every_run_unscaled(result):
    found = json.loads(json.dumps(as_json(result)))
    first, second = found["tables"][0]["rows"][0]["cells"]
    assert first["values"] == [0.0102, 0.0106]
    assert first["mean"] == pytest.approx(0.0104)
    assert first["deviation"] == pytest.approx(0.0002 * 2**0.5)
    assert second == {"paper": "2.8"}
    assert [claim["holds"] for claim in found["claims"]] == [None, False]
