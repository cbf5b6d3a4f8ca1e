"""An earlier audit, read from its folder, to compare a new one with."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from arcal.auditing import Audited, Changes, Estimate, Group, Standing, changes, standing
from arcal.errors import ArcalError, a_type
from arcal.files import expanded, parse_json
from arcal.printable import first_few, printable
from arcal.report.audited import FORMAT

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers


@dataclass(frozen=True)
class Earlier:
    """The figures of an earlier audit of inputs of these `classes`.

    `name` is the folder or file as it was named, `models` has each model's figures by its name,
    `weighted` says whether inputs had weights, and `clustered` whether they had clusters. `inputs`
    is a digest of the ids and labels, or None without the table of the inputs. `one_per` is the
    column that was thinned to one input per value, or None. `positive` is the class whose
    probability was compared with its frequency. Made by `read_earlier`.
    """

    name: str
    classes: tuple[str, ...]
    weighted: bool
    models: Mapping[str, Standing]
    inputs: str | None = None
    one_per: str | None = None
    positive: int | None = None
    clustered: bool = False

    def check(
        self, classes: Sequence[str], has: Mapping[str, bool], *, positive: int | None = None
    ) -> None:
        """Refuse other classes or another positive class, and weights or clusters in one only."""
        if tuple(map(printable, classes)) != self.classes:
            theirs, ours = (f"{first_few(of)} ({len(of):,})" for of in (self.classes, classes))
            raise ArcalError(
                f"the audit {self.name}: its classes are {theirs} and here {ours}, so their "
                "figures cannot be compared: audits must have the same classes in the same order"
            )
        there = {"weights": self.weighted, "clusters": self.clustered}
        for what, here in has.items():
            if here != there[what]:
                have = f"have none there, and {what}" if here else f"have {what} there and none"
                raise ArcalError(
                    f"the audit {self.name}: inputs {have} here, so their figures cannot be "
                    f"compared: give {what} in both audits or in none"
                )
        before = self.positive
        if positive is not None and before is not None and positive != before:
            theirs, ours = self.classes[before], self.classes[positive]
            raise ArcalError(
                f"the audit {self.name} is of the probability of {theirs} and this of {ours}, so "
                "the two cannot be compared: give the same --positive in both audits"
            )

    def matched(self, names: Sequence[str]) -> "Earlier":
        """The same audit with only the models that models of these `names` are compared with.

        Models are matched by name; if each audit has a single model, these are compared whatever
        they are called, under the new name. No name in common raises `ArcalError`.
        """
        names = [*map(printable, names)]
        if len(names) == len(self.models) == 1:
            return replace(self, models=dict(zip(names, self.models.values(), strict=True)))
        models = {name: self.models[name] for name in names if name in self.models}
        if not models:
            raise ArcalError(
                f"the audit {self.name}: its models are {first_few(list(self.models))}, and none "
                f"here has such a name ({first_few(names)}): give the same names with --names"
            )
        return replace(self, models=models)

    def drawn_like(self, one_per: str | None) -> "Earlier":
        """The same audit; one whose inputs were not drawn by this column raises `ArcalError`.

        With one input per patient, a figure is a mean over patients, otherwise one over inputs.
        """
        if one_per != self.one_per:
            there, here = (
                "all inputs" if one is None else f"one input of each {printable(one)}"
                for one in (self.one_per, one_per)
            )
            raise ArcalError(
                f"the audit {self.name} is of {there} and this of {here}, so their figures cannot "
                "be compared: give the same --one-per in both audits, or in none"
            )
        return self

    def figure_names(self) -> set[str]:
        """The names of all possible changes, for conditions."""
        every = self.models.values()
        names = {name for one in every for name in one.figures}
        names |= {
            f"by.{column}.{group.name}.{figure}"
            for one in every
            for column, groups in one.groups.items()
            for group in groups
            for figure in ("accuracy", "gap")
        }
        return {f"changes.{name}{end}" for name in names for end in ("", ".low", ".high")}

    def changes(self, models: Sequence[Audited]) -> tuple[Changes | None, ...]:
        """How each model's figures have changed; None for a model that was not audited then."""
        first = models[0]
        said = first.predictions
        inputs = _digest(said.ids.numpy(), said.labels.numpy(), first.names)
        pairs = ((model, self.models.get(model.name)) for model in models)
        return tuple(
            None
            if one is None
            else changes(standing(model), one, self.name, same_inputs=inputs == self.inputs)
            for model, one in pairs
        )


def read_earlier(path: Path | str) -> Earlier:
    """The audit in this folder, or this `audit.json`.

    Anything but a complete audit in this format raises `ArcalError`.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArcalError(
            f"against is {a_type(path)}: name the folder that an earlier audit was saved "
            "to by audit.save(folder)"
        )
    name, path = printable(str(Path(path))), expanded(path)
    file = path / "audit.json" if path.is_dir() else path
    if not file.is_file():
        what = "has no audit.json" if path.is_dir() else "is missing"
        raise ArcalError(
            f"the audit {name} {what}: name the folder of an earlier audit, or its audit.json"
        )
    try:
        said = parse_json(file.read_bytes())
    except ValueError:
        raise ArcalError(
            f"the audit {name}: it is not complete JSON, as if it was cut off: name the "
            "folder of an audit, or run that audit again"
        ) from None
    if not isinstance(said, Mapping) or not {"arcal", "format", "models"} <= {*said}:
        raise ArcalError(f"the audit {name} is not an audit.json of arcal: name the folder of one")
    if said["format"] != FORMAT:
        raise ArcalError(
            f"the audit {name} is of format {printable(str(said['format']))[:20]}, and this arcal "
            f"reads {FORMAT}: run that audit again with this version"
        )
    try:
        done, data = said["done"], said["data"]
        first_answer = done["inputs"] < done["of"]
        models = {one.name: one for one in map(_standing, said["models"])}
        first = said["models"][0]
        clustered = data.get("clusters") is not None
        weighted = data.get("weighted", first["acting"] is None and not clustered)
        classes = tuple(printable(one) for one in data["classes"])
        inputs = _inputs(file, first["name"])
        positive = None if first["positive"] is None else int(first["positive"]["class"])
        drawn = data.get("one_per")
        earlier = Earlier(name, classes, weighted, models, inputs, drawn, positive, clustered)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise ArcalError(
            f"the audit {name} lacks what an audit.json has ({type(error).__name__}: "
            f"{printable(str(error))[:80]}): run that audit again"
        ) from None
    if first_answer:
        raise ArcalError(
            f"the audit {name} is not finished, with {done['inputs']:,} of {done['of']:,} inputs "
            "done: type the command of that audit again, which finishes it"
        )
    return earlier


def _standing(model: Mapping[str, Any]) -> Standing:
    """A model's figures, from its entry in audit.json."""
    over, flat, positive = model["overall"], model["figures"], model["positive"]
    n = over["accuracy"]["n"]
    names = ("accuracy", "gap", "nll", "brier", "aurc")
    figures = {name: _estimate(over[name]) for name in names}
    value, low, high = (flat[f"confidence{end}"] for end in ("", ".low", ".high"))
    figures["confidence"] = _estimate({"value": value, "low": low, "high": high, "n": n})
    bins = [(one["count"], one["confidence"], one["accuracy"]) for one in model["reliability"]]
    variances = {"gap": _variance(bins)}
    if positive is not None:
        for name in ("frequency", "gap"):
            figures[f"positive.{name}"] = _estimate(positive[name])
        variances["positive.gap"] = _variance(
            [(one["count"], one["probability"], one["frequency"]["value"])
             for one in positive["bins_of_equal_width"]]
        )  # fmt: skip
    groups = {
        printable(one["name"]): [_group(each) for each in one["groups"]]
        for one in model["groupings"]
    }
    return Standing(printable(model["name"]), int(over["n"]), figures, variances, groups)


def _estimate(value: Mapping[str, Any]) -> Estimate:
    if value["n"] < 0:
        raise ValueError(f"n is {value['n']}")
    ends = (_number(value[end]) for end in ("value", "low", "high"))
    return Estimate(*ends, n=int(value["n"]))


def _number(value: float | None) -> float:
    """A number from JSON, where null stands for nan."""
    return math.nan if value is None else float(value)


def _group(said: Mapping[str, Any]) -> Group:
    return Group(
        name=printable(said["name"]),
        n=int(said["n"]),
        accuracy=_estimate(said["accuracy"]),
        confidence=_number(said["confidence"]),
        gap=_estimate(said["gap"]),
        ece=None,
        ece_if_calibrated=None,
        share_of_errors=_number(said["error_share"]),
        few=bool(said["few"]),
        p=math.nan,
        verdict=said["verdict"],
    )


def _variance(bins: Sequence[tuple[int, float | None, float | None]]) -> float:
    """The variance over inputs of a probability minus its outcome (0 or 1), from narrow bins.

    Each bin is its number of inputs, the mean probability, and the share of outcomes 1. Within a
    bin probabilities are taken to be equal.
    """
    n, p, f = np.array([bin for bin in bins if bin[0]], dtype=np.float64).T
    share, off = n / n.sum(), p - f
    return float((share * (f * (1 - f) + (off - (share * off).sum()) ** 2)).sum())


def _inputs(file: Path, model: str) -> str | None:
    """The digest of the inputs in the table beside the figures; None without one."""
    try:
        path = file.with_name("inputs.parquet")
        there = {*pq.read_schema(path).names}
        wanted = [name for name in ("id", "label", "correct", "name", "model") if name in there]
        table = pq.read_table(path, columns=wanted)
        if "model" in there:
            table = table.filter(pc.equal(table["model"], model))
        names = table["name"].to_pylist() if "name" in there else None
        if "label" in there:
            labels = table["label"].to_numpy()
        else:  # answers are only right (0) or wrong (1)
            labels = 1 - table["correct"].to_numpy().astype(np.int64)
        return _digest(table["id"].to_numpy(), labels, names)
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None


def _digest(ids: np.ndarray, labels: np.ndarray, names: Sequence[str] | None) -> str:
    """A digest of the inputs, in ascending order of their ids."""
    order = np.argsort(ids, kind="stable")
    digest = blake2b(digest_size=16)
    for numbers in (ids, labels):
        digest.update(numbers[order].astype("<i8").tobytes())
    digest.update(json.dumps(None if names is None else [names[i] for i in order]).encode())
    return digest.hexdigest()
