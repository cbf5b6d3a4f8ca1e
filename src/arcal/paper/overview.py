"""What reproduces at a scale, at a glance: every claim of the results that lie in a folder."""

from pathlib import Path

from arcal.files import parse_json
from arcal.paper.item import Evaluated
from arcal.paper.notes import setting_words
from arcal.paper.result import Claim

TITLE = "# The paper at the scale "
READ = (
    '"Holds" means that the claim is true of the means, unless the claim names a test. The '
    "p-value beside it, from a paired t-test over the seeds, says whether chance could "
    "explain the difference. It is corrected for the number of tests: in a figure all of "
    "them, in a table those of one data set, in Table 3 the paper's comparisons and those not "
    "in the paper separately. Beside a ρ it is Spearman's, over the ten levels' means, and "
    "not corrected."
)


def setting_line(evaluated: Evaluated) -> str:
    """A setting in a line: what it is, how many seeds, what was chosen."""
    setting, chosen = evaluated.setting, evaluated.chosen
    values = (
        ("epsilon", setting.epsilons, chosen.epsilon),
        ("alpha of AR-AdaLS", setting.alphas, chosen.alpha),
        ("alpha of AdaLS", setting.adals_alphas, chosen.adals_alpha),
    )
    line = setting_words(evaluated)
    chosen_on = f"chosen on validation, seed {setting.seeds[0]}"
    for words, several in ((chosen_on, True), ("given", False)):
        listed = [
            f"{name} {value}"
            for name, grid, value in values
            if value is not None and (len(grid) > 1) == several
        ]
        line += f"; {words}: {', '.join(listed)}" if listed else ""
    return line


def overview_page(folder: Path, scale: str) -> str:
    """The page over all results in a folder, the paper's tables and figures in their order."""
    files = [parse_json(file.read_text()) for file in folder.glob("*.json")]
    results = [one for one in files if isinstance(one, dict) and {"name", "claims"} <= one.keys()]
    results.sort(key=lambda result: _place(result["name"]))
    lines = [f"{TITLE}`{scale}`", ""]
    lines += dict.fromkeys(f"- {line}" for result in results for line in result.get("settings", []))
    lines += ["", READ, "", "| | claim | here | figures |", "|---|---|---|---|"]
    for result in results:
        link = f"[{result['name']}]({result['name']}.md)"
        for claim in (Claim(**one) for one in result["claims"]):
            lines.append(f"| {link} | {claim.text} | **{claim.verdict}** | {claim.because} |")
    return "\n".join(lines) + "\n"


def _place(name: str) -> tuple[int, str]:
    """Tables, then figures, then what the paper does not have."""
    kinds = ("table", "figure")
    return next((i for i, kind in enumerate(kinds) if name.startswith(kind)), len(kinds)), name
