import pytest


@pytest.fixture(scope="module", autouse=True)
def _few_draws(few_draws): ...
