import pytest
from tiny_data import tiny_data


@pytest.fixture
def data():
    return tiny_data()
