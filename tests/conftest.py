import gc
import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# On a busy machine hypothesis takes its own draws, and any example, for too slow.
settings.register_profile(
    "any machine", suppress_health_check=[HealthCheck.too_slow], deadline=None
)
settings.load_profile("any machine")

SHARED = Path(os.environ.get("ARCAL_SHARED", Path(__file__).parents[1] / ".." / "shared"))


def pytest_collection():
    gc.disable()  # what is imported stays


def pytest_collection_finish():
    """The collector looks at what tests make and not, again and again, at all that is imported."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory):
    """What is decoded is kept for the tests alone, and for the processes that they start."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root  # that of all workers
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCAL_CACHE", str(root / "cache"))
        yield


@pytest.fixture(scope="module")
def few_draws():
    """Intervals are of 100 draws and not of 1,000: for tests that are not about where they end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arcal.calibration.draws.MOST", 100)
        yield


@pytest.fixture
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def shared():
    """The folder of real data, networks and oracles."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data not found at {SHARED}: set ARCAL_SHARED to its folder")
    return SHARED
