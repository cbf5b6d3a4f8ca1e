"""A program on two processes three times: as it is, killed on its way, and continued."""

import json
from pathlib import Path
from typing import Any

import pytest

from launching import on_two_processes


def check_two_processes(program: Path, folder: Path, *arguments: str, epochs: int) -> None:
    """Both processes have the soft labels of the whole validation set, also when continued.

    The expected ones are of the predictions that one process makes of all of it, of the same
    weights; those of bf16 may depend on the batch.
    """
    for mode, code in (("whole", 0), ("killed", 9), ("resumed", 0)):
        on_two_processes(program, folder, *arguments, mode, killed=code)
    results: dict[tuple[str, int], dict[str, Any]] = {
        (mode, rank): json.loads((folder / f"{mode}-{rank}.json").read_text())
        for mode in ("whole", "resumed")
        for rank in range(2)
    }
    whole = results["whole", 0]
    assert whole["epoch"] == epochs
    assert whole["soft_label"] == pytest.approx(whole["expected"], abs=5e-3)
    assert min(whole["soft_label"]) < 0.98
    for (mode, _), result in results.items():
        expected = {name: value for name, value in whole.items() if name != "expected"}
        del result["expected"]  # of the resumed one, from its start on
        assert result == expected, mode
