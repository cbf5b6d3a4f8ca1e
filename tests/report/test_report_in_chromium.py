"""The page of several methods in a real browser: what the old, static page said is all there."""

import dataclasses

import pytest
from chromium import SIZES, THEMES, browser, expect, reader, shot
from explorer_payload import HOSTILE
from test_explorer import payload_of
from test_write_report import CLASSES, PICTURES, full_subjects, made_up_part

from arcal.report import write_report
from made_up_subjects import Maker

__all__ = ["browser", "reader"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out, subjects = tmp_path_factory.mktemp("report"), full_subjects()
    return write_report(
        out,
        subjects,
        title="A <title>",
        classes=CLASSES,
        notes=["chosen & noted"],
        part=made_up_part(),
    )


def test_every_picture_is_drawn_and_has_words(reader, report):
    page = reader.open_path(report)
    images = page.locator("#comparison img")
    expect(images).to_have_count(len(PICTURES))
    for image in images.all():
        image.scroll_into_view_if_needed()
        page.wait_for_function("image => image.naturalWidth > 300", arg=image.element_handle())
        assert len(image.get_attribute("alt")) > 20


def test_one_run_of_each_is_explored(reader, report):
    page = reader.open_path(report)
    payload = payload_of(report)
    expect(page.locator("h1")).to_have_text(payload["sentence"])
    names = [model["name"] for model in payload["models"]]
    assert page.locator("button.model").all_inner_texts() == names
    page.locator("button.model").nth(1).click()
    expect(page.locator("#one-run")).to_contain_text(payload["models"][1]["sentence"])
    page.locator("#compare select").select_option(names[0])
    assert len(page.locator(".quadrant").all()) == 4
    page.locator("button.model").first.click()
    page.locator("#levels .mark").first.click()
    page.locator("#levels .chosen .thumb").first.click()
    expect(page.locator("dialog figure canvas").first).to_be_visible()


@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
@pytest.mark.parametrize("theme", THEMES)
def test_it_fits_and_reads_well(reader, report, tmp_path, size, theme):
    page = reader.open_path(report, "", size, theme)
    for summary in page.locator("#comparison summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_timeout(500)
    shot(page, tmp_path, f"report-{size[0]}-{theme}")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    assert not [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found]


@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
def test_names_that_would_break_a_careless_page(reader, tmp_path, size):
    """Markup, control characters, turned directions, great length, in a report without images."""
    maker = Maker(N=200, Z=len(HOSTILE))
    subjects = [
        dataclasses.replace(maker.subject(seeds=(i,)), name=name, method=None)
        for i, name in enumerate(HOSTILE)
        if name
    ]
    path = write_report(
        tmp_path / "out", subjects, title=HOSTILE[0], classes=HOSTILE, notes=list(HOSTILE)
    )
    page = reader.open_path(path, size=size)
    for summary in page.locator("#comparison summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_function(
        "[...document.querySelectorAll('img')].every(image => image.naturalWidth > 300)"
    )
    expect(page.locator(".eyebrow")).to_have_text(HOSTILE[0])
    words = page.evaluate("document.querySelector('main').innerText")
    assert not set(words) & {"\x00", "\x1b", "\u202e"}
    shot(page, tmp_path, f"report-hostile-{size[0]}")
