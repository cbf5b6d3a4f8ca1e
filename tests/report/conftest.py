import pytest

from made_up_subjects import Maker


@pytest.fixture(scope="session")
def maker():
    return Maker()
