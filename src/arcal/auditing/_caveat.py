"""What must be known of a model or its inputs before any figure of them is believed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from arcal.printable import printable

Option = Literal["--classes", "--normalize"]
"""Options of the command line that could mend what an audit suspects."""


@dataclass(frozen=True)
class Caveat:
    """Something known before any figure, that must be said with them.

    `sentence` is for a summary; `title` and `fact` are for a page, where `fact` None is the
    sentence. `about` says of what it is: "weights" that are drawn and not trained, "outputs" of
    which several may be the logits, a "scale" of the inputs that seems another than in training, or
    the "data".

    >>> Caveat("Left out", "left out: 2 of 9 images", fact="2 of 9 images").about
    'data'
    """

    title: str
    sentence: str
    fact: str | None = None
    about: Literal["weights", "outputs", "scale", "data"] = "data"

    def printable(self) -> "Caveat":
        """The same, with each character that does not print as an escape."""
        fact = None if self.fact is None else printable(self.fact)
        return replace(self, sentence=printable(self.sentence), fact=fact)


def facts_with(facts: Mapping[str, str], caveats: Iterable[Caveat]) -> dict[str, str]:
    """The facts for a page by title, those of the caveats among them.

    >>> facts_with({"Images": "resized"}, [Caveat("Left out", "left out: 2 images", "2 images")])
    {'Images': 'resized', 'Left out': '2 images'}
    """
    more = {one.title: one.sentence if one.fact is None else one.fact for one in caveats}
    return {**facts, **more}
