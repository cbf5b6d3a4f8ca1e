"""The tables of results/ are those that its figures give."""

import shutil
from pathlib import Path

import pytest

from arcal.errors import ArcalError
from arcal.paper.reproduce import remade
from arcal.paper.scales import Sources, settings_of

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize("scale", ["smoke", "cpu"])
def test_every_table_and_picture_is_remade_from_the_figures(tmp_path, scale):
    shutil.copy(RESULTS / scale / "figures.csv", tmp_path)
    remade(tmp_path, scale, settings_of(scale, Sources()))
    for page in tmp_path.glob("*.md"):
        assert page.read_text() == (RESULTS / scale / page.name).read_text()
    made, there = ({one.name for one in folder.iterdir()} for folder in (tmp_path, RESULTS / scale))
    assert made == there


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n", b"\xff\xfe"])
def test_what_is_no_file_of_figures_is_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "figures.csv").write_bytes(content)
    with pytest.raises(ArcalError, match=r"figures\.csv"):
        remade(tmp_path, "smoke", settings_of("smoke", Sources()))
