"""One section of the page of several subjects: its parts, and sentences that captions share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from arcal.report.comparison import Comparison
from arcal.report.comparison_types import ComparisonPicture, ComparisonSection, ComparisonTable
from arcal.report.drawing import as_address


@dataclass(frozen=True)
class Words:
    """Sentences that several captions share."""

    comparison: Comparison

    @property
    def spread(self) -> str:
        """What the bars of error are."""
        if self.comparison.several:
            return "Bars of error are one standard deviation over the runs."
        return "There is one run, so no deviation is shown."

    @property
    def ranking(self) -> str:
        """What the levels are cut by."""
        order, R = self.comparison.order, self.comparison.R
        ranked = (
            "Images are ranked by chance"
            if order == "random"
            else f"Each run's images are ranked by its own model ({order} order)"
        )
        return f"{ranked} and cut into {R} levels of equal size."

    def bold(self, what: str) -> str:
        """What leads a column, where there are several subjects."""
        return f" Bold: {what}." if len(self.comparison.subjects) > 1 else ""

    @property
    def ensemble(self) -> str:
        """What an ensemble is, where there is one."""
        if not self.comparison.several:
            return ""
        return " An ensemble averages the probabilities of all of a method's runs."


def picture_of(
    drawn: Mapping[str, str],
    name: str,
    alt: str,
    lead: str = "",
    caption: str = "",
    *,
    title: str = "",
    width: Literal["wide", "narrow", "half"] = "wide",
) -> ComparisonPicture:
    """A picture by its name, of those that are `drawn`."""
    return {
        "name": name,
        "title": title,
        "alt": alt,
        "lead": lead,
        "caption": caption,
        "width": width,
        "image": as_address(drawn[name]),
    }


def section_of(
    id: str,
    title: str,
    pictures: list[ComparisonPicture] | None = None,
    tables: list[ComparisonTable] | None = None,
    note: str = "",
) -> ComparisonSection:
    """A section of these parts."""
    return {
        "id": f"over-seeds-{id}",
        "title": title,
        "pictures": pictures or [],
        "tables": tables or [],
        "note": note,
    }
