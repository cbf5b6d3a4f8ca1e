import pytest

from made_up_subjects import Maker


@pytest.fixture(scope="session")
def maker():
    return Maker()


@pytest.fixture(scope="module", autouse=True)
def _few_draws(few_draws): ...
