"""A temperature for each batch, on predictions whose temperature under shift is known."""

import pytest
import torch

from arcal.auditing import as_predictions
from benchmarks.batch_temperature import BATCHES, accuracies, table


@pytest.mark.slow
def test_large_batches_are_nearer_the_temperature_of_a_shift():
    generator = torch.Generator().manual_seed(0)
    z = 4 * torch.randn(3000, 4, generator=generator)

    def said(shrunk, T):
        labels = (z / T).softmax(1).multinomial(1, generator=generator)[:, 0]
        return as_predictions(logits=z / shrunk, labels=labels)

    lines = table(said(1, 1), said(1, 1), [said(2, 4)]).splitlines()
    rows = {name.strip(): [float(x) for x in row] for _, name, *row, _ in map(cells, lines[2:])}
    assert len(rows) == 2 + 2 * len(BATCHES)
    assert rows["batches of 400, shrink 0"][1] < rows["one temperature"][1] / 2
    assert rows["batches of 10, shrink 25"][1] > rows["batches of 10, shrink 0"][1]
    assert all(row[0] < 6 for name, row in rows.items() if "shrink 25" in name)


def test_accuracies_are_off_by_as_much_as_is_said():
    z = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.5, 0.0], [0.1, 0.0]]).repeat(50, 1)
    half = as_predictions(logits=z, labels=torch.tensor([0, 0, 1, 1]).repeat(50))
    surer = as_predictions(logits=z.sort(dim=0).values[50:], labels=torch.zeros(150).long())
    _, _, *rows = map(cells, accuracies(half, [half, surer]).splitlines())
    off = {name.strip(): (float(mean), float(most)) for _, name, mean, most, _ in rows}
    assert off["by the confidence alone"] == (16.7, -33.3)  # 100 of 150 reach it, and all are right
    assert len(off) == 4


def cells(line):
    return line.split("|")
