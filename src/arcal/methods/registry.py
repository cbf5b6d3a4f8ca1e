"""Methods by name: arcal's own, and those that installed packages add by entry points."""

from collections.abc import Iterable, Iterator, MutableMapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from itertools import product

from arcal.errors import ArcalError
from arcal.methods.method import Method

GROUP = "arcal.methods"
"""The group of entry points, each of which has a method's name and class."""


class Methods(MutableMapping[str, type[Method]]):
    """The built-in methods in their order, then those of the entry points `arcal.methods`.

    A method of another package is imported when it is first looked up. Only then does one that
    cannot be imported, or that conflicts with the others, raise `ArcalError`.
    """

    def __init__(self, built_in: Iterable[type[Method]]):
        self._loaded: dict[str, type[Method]] = {}
        for kind in built_in:
            self._check_settings(kind)
            self._loaded[kind.name] = kind

    def loaded(self) -> list[type[Method]]:
        """The built-in methods, and any others that have been looked up."""
        return list(self._loaded.values())

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        offered: dict[str, EntryPoint] = {}
        for point in entry_points(group=GROUP):
            first = offered.setdefault(point.name, point)
            if point.name in self._loaded or first is not point:
                other = "arcal" if point.name in self._loaded else _package(first)
                raise ArcalError(
                    f"{_package(point)} and {other} both have a method {point.name!r}: uninstall "
                    "one, or rename its method"
                )
        return offered

    def __getitem__(self, name: str) -> type[Method]:
        if name not in self._loaded:
            self._loaded[name] = self._load(self._entry_points[name])
        return self._loaded[name]

    def __setitem__(self, name: str, kind: type[Method]) -> None:
        self._loaded[name] = kind

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._loaded, **self._entry_points})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load(self, point: EntryPoint) -> type[Method]:
        try:
            kind = point.load()
            if not (isinstance(kind, type) and issubclass(kind, Method)):
                raise ArcalError("it is not a subclass of arcal.methods.Method")
            if kind.name != point.name:
                raise ArcalError(f"its class has the name {kind.name!r}")
            self._check_settings(kind)
        except Exception as error:
            reason = str(error) if isinstance(error, ArcalError) else f"{error!r}"
            raise ArcalError(
                f"the method {point.name!r} of the package {_package(point)} cannot be used "
                f"({reason}): fix that package or uninstall it"
            ) from error
        return kind

    def _check_settings(self, kind: type[Method]) -> None:
        """Refuse a setting that conflicts with another method's of the same name or flag."""
        for other in self._loaded.values():
            for mine, its in product(kind.settings(), other.settings()):
                names = {mine.name, mine.flag or mine.name}, {its.name, its.flag or its.name}
                if not names[0].isdisjoint(names[1]) and (
                    names[0] != names[1] or set(mine.types) != set(its.types)
                ):
                    raise ArcalError(
                        f"its setting {mine.name!r} has another type or flag than {its.name!r} of "
                        f"{other.name!r}"
                    )


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
