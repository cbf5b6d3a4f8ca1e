"""The lowest releases of arcal's dependencies that pyproject.toml allows, as constraints for pip.

python scripts/lowest_versions.py > lowest.txt
"""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def lowest(requirements: list[str]) -> list[str]:
    """`name==version` for each requirement `name>=version`.

    >>> lowest(["numpy>=1.26", "fsspec[http]>=2024.6"])
    ['numpy==1.26', 'fsspec==2024.6']
    """
    pairs = [re.fullmatch(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", one) for one in requirements]
    return [f"{pair[1]}=={pair[2]}" for pair in pairs if pair]


if __name__ == "__main__":
    print("\n".join(lowest(tomllib.loads(PROJECT.read_text("utf-8"))["project"]["dependencies"])))
