"""Sentences that several captions of the page of several subjects share."""

from dataclasses import dataclass

from arcal.report.comparison import Comparison


@dataclass(frozen=True)
class Words:
    """What is said of a comparison in more than one caption."""

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
