"""Whether one temperature corrects every robustness level, or leaves some over-confident.

    arcal audit MODEL DATA --out FOLDER
    python -m benchmarks.levels_after_temperature --model MODEL --data DATA --folder FOLDER

A temperature is fitted on a random half of the inputs. For the other half, prints accuracy and
confidence minus accuracy in the levels that the audit has cut, as it is and after the temperature.
"""

from pathlib import Path

import pyarrow.parquet as pq
import torch
import tyro

from arcal.audits import NamedData, NamedModel, Settings, open_job
from arcal.calibration import confidence_and_correct, ece
from arcal.calibration.posthoc import fit_temperature
from arcal.errors import ArcalError


def main(model: str, data: str, folder: Path, seed: int = 0) -> None:
    """Print a table of the levels, and the ECE of the whole half."""
    torch.set_num_threads(1)
    settings = Settings(order=None)
    named = NamedModel(model), NamedData(data)
    job = open_job(*named, settings, name=model, panel=()).checked()
    assert job.examples is not None
    predictions = job.predictions(job.examples)
    rows = pq.read_table(folder / "inputs.parquet").sort_by("id")
    if rows["id"].to_pylist() != predictions.ids.tolist():
        raise ArcalError(f"{folder} has audited other inputs than {data}")
    level = torch.tensor(rows["level"].to_pylist())
    drawn = torch.randperm(len(level), generator=torch.Generator().manual_seed(seed))
    fitted, shown = drawn.chunk(2)
    log_p, labels = predictions.log_probabilities, predictions.labels
    temperature = fit_temperature(log_p[fitted], labels[fitted])
    print(f"{len(fitted):,} inputs give {temperature}; of {len(shown):,} others")
    print("level  inputs  accuracy, %  gap, points  gap after the temperature, points")
    some, labels, level = log_p[shown], labels[shown], level[shown]
    confidence, correct = confidence_and_correct(some.exp(), labels)
    after, correct_after = confidence_and_correct(temperature(some).exp(), labels)
    for r in level.unique().tolist():
        here = level == r
        right = correct[here].double().mean()
        gaps = (100 * (c[here].mean() - right) for c in (confidence, after))
        print(
            f"{r:5} {int(here.sum()):7} {100 * right:12.1f} {next(gaps):12.1f} {next(gaps):12.1f}"
        )
    before, then = 100 * ece(confidence, correct), 100 * ece(after, correct_after)
    print(f"ECE {before:.2f} and {then:.2f}, x 10^-2")


if __name__ == "__main__":
    tyro.cli(main)
