"""The page over all results that lie in a folder."""

from arcal.files import write_json
from arcal.paper.reproduce import overview_page
from arcal.paper.result import Claim, Result, as_json


def test_every_result_in_the_folder_is_on_the_page_in_the_papers_order(tmp_path):
    for name, holds in (("headline", None), ("figure1", False), ("table2", True)):
        claim = Claim(f"what {name} says", holds, "0.1 against 0.2")
        about = {"scale": "cpu", "settings": ["CIFAR-10; 5 seeds", f"own of {name}"]}
        result = Result(name, "", claims=[claim])
        write_json(tmp_path / f"{name}.json", as_json(result) | about)
    write_json(tmp_path / "figures.json", {"of": "a report"})
    (tmp_path / "notes.json").write_text("// somebody's own\n{}")
    page = overview_page(tmp_path, "cpu")
    assert page.startswith("# The paper at the scale `cpu`")
    rows = [line for line in page.splitlines() if line.startswith("| [")]
    assert rows == [
        "| [table2](table2.md) | what table2 says | **holds** | 0.1 against 0.2 |",
        "| [figure1](figure1.md) | what figure1 says | **does not hold** | 0.1 against 0.2 |",
        "| [headline](headline.md) | what headline says | **undecided** | 0.1 against 0.2 |",
    ]
    assert page.count("- CIFAR-10; 5 seeds\n") == 1
    assert page.count("- own of ") == 3


def test_the_page_says_in_which_units_its_figures_are(tmp_path):
    words = overview_page(tmp_path, "smoke")
    assert "ECEs, gaps, variances and AUROCs are ×10⁻², accuracies and other shares in %" in words
