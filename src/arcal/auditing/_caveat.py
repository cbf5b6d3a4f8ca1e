"""What a reader must know about a model or its inputs before trusting any figure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from arcal.printable import printable

Option = Literal["--classes", "--normalize"]
"""Command-line options that could fix what an audit suspects."""


@dataclass(frozen=True)
class Caveat:
    """Something that was known before any figure and must be reported with the figures.

    `sentence` goes into a summary; `title` and `fact` go on a page, where the sentence stands in if
    `fact` is None. `about` is the subject: "weights" that are random and not trained, "outputs" of
    which several may be the logits, a "scale" of the inputs that seems to differ from training, or
    the "data".

    >>> Caveat("Left out", "left out: 2 of 9 images", fact="2 of 9 images").about
    'data'
    """

    title: str
    sentence: str
    fact: str | None = None
    about: Literal["weights", "outputs", "scale", "data"] = "data"

    def printable(self) -> "Caveat":
        """The same caveat, with unprintable characters escaped."""
        fact = None if self.fact is None else printable(self.fact)
        return replace(self, sentence=printable(self.sentence), fact=fact)


def facts_with(facts: Mapping[str, str], caveats: Iterable[Caveat]) -> dict[str, str]:
    """The facts for a page by title, including those of the caveats.

    >>> facts_with({"Images": "resized"}, [Caveat("Left out", "left out: 2 images", "2 images")])
    {'Images': 'resized', 'Left out': '2 images'}
    """
    more = {one.title: one.sentence if one.fact is None else one.fact for one in caveats}
    return {**facts, **more}
