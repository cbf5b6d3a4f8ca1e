"""An attack in a user's own code, with a digest that tells its results from another attack's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from arcal.attacks.adversarial import Adversarial
from arcal.attacks.inputs import Model
from arcal.attacks.norms import Bounds


@dataclass(frozen=True, eq=False, repr=False)
class OwnAttack:
    """An attack that a user wrote: `spec` says where, and `code` is a digest of that code.

    `name` is its name there and `norm` the norm of its distances, "l2" or "linf". Another process
    opens it again by `reopen(spec, code)`.

    >>> nothing = lambda model, x, bounds: None
    >>> own = OwnAttack(nothing, "mine.py:Noise", "Noise", "5ea1", "l2", print)
    >>> own, own.file_name, own.settings
    (mine.py:Noise, 'own-mine-Noise', {'kind': 'Noise', 'code': '5ea1'})
    """

    attack: Callable[..., Adversarial]
    spec: str
    name: str
    code: str
    norm: str
    reopen: Callable[[str, str], Any]

    def __call__(self, model: Model, x: Tensor, bounds: Bounds = (0.0, 1.0)) -> Adversarial:
        return self.attack(model, x, bounds)

    def __repr__(self) -> str:
        return self.spec

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reopen, (self.spec, self.code)

    @property
    def file_name(self) -> str:
        """The name for files of its results."""
        module = Path(self.spec.rpartition(":")[0]).stem
        return "-".join(["own", *re.findall(r"\w+", f"{module} {self.name}")])

    @property
    def settings(self) -> dict[str, str]:
        """What its results depend on, besides the model and the data."""
        norm = {} if self.norm == "l2" else {"norm": self.norm}
        return {"kind": self.name, "code": self.code, **norm}
