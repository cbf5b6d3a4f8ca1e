"""What a constructor's annotations say of its settings, and what is refused."""

from typing import Annotated

import pytest

from arcal.errors import ArcalError
from arcal.methods import Method, Setting
from arcal.methods.setting import declared_by


class Made(Method):
    def __init__(
        self,
        Z: int,
        *,
        first: Annotated[float | None, Setting("help", flag="other", at_least=0, below=1)] = None,
        second: str = "so",
    ):
        super().__init__()
        self.given = first


def test_a_constructor_declares_its_settings():
    first, second = declared_by(Made)
    assert (first.name, first.help, first.flag, first.default) == ("first", "help", "other", None)
    assert first.types == (float,)
    assert (second.name, second.help, second.types, second.default) == ("second", "", (str,), "so")
    assert [setting.name for setting in Made.settings()][:3] == ["first", "second", "mixup"]


def test_bounds_hold_wherever_a_method_is_built():
    assert Made(3).given is None
    assert Made(3, first=None).given is None
    assert Made(3, first=0.5).given == 0.5
    with pytest.raises(ArcalError, match=r"^first is 1: it must be at least 0 and below 1$"):
        Made(3, first=1)


def test_a_setting_without_a_default_is_refused():
    class Lacking(Method):
        def __init__(self, Z: int, *, gamma: float):
            super().__init__()

    with pytest.raises(ArcalError, match="Lacking has a setting gamma without a default"):
        Lacking.settings()
