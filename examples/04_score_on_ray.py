"""Score a folder of Parquet files on a Ray cluster, one task per file.

`python examples/04_score_on_ray.py mynet.py:network photos scores ADDRESS`: the cluster's machines
share the two folders and have `arcal`; `local` in place of ADDRESS starts Ray here. The scores of
each file are written to a file of the same name. If a machine or the whole cluster dies, run the
same command again: finished files are only checked, and a file that was begun continues where it
stopped.
"""

import subprocess
import sys
from pathlib import Path

import ray

QUICK = ["--attack", "boundary-projection-quick"]


@ray.remote(num_cpus=1, max_retries=3)
def score(model: str, file: Path, out: Path) -> Path:
    """Score one file on one core."""
    command = [sys.executable, "-m", "arcal", "score", model, str(file), "--out", str(out)]
    subprocess.run([*command, *QUICK, "--threads", "1", "--quiet"], check=True)
    return out


def main(model: str, data: str, scores: str, address: str = "local") -> None:
    """Score every Parquet file in the folder `data` into the folder `scores`."""
    files = sorted(Path(data).absolute().glob("*.parquet"))
    if not files:
        sys.exit(f"{data} has no .parquet file: name a folder of them")
    ray.init(address=None if address == "local" else address, log_to_driver=True)
    Path(scores).mkdir(exist_ok=True)
    waiting = [score.remote(model, file, Path(scores).absolute() / file.name) for file in files]
    while waiting:
        (done,), waiting = ray.wait(waiting)
        print(f"{ray.get(done)}, {len(waiting)} to go")


if __name__ == "__main__":
    main(*sys.argv[1:])
