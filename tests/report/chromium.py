"""A reader with a real browser, who complains of what a good page never does."""

import os
import shutil
from pathlib import Path

import pytest

from arcal.report.explorer import write_explorer

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
expect = playwright.expect

CHROMIUM = os.environ.get("ARCAL_CHROMIUM") or shutil.which("chromium")
ARTEFACTS = os.environ.get("ARCAL_ARTEFACTS")
"""Where screenshots are left to be looked at; otherwise they go with the test's own folder."""
SIZES = [(1280, 800), (375, 740)]
THEMES = ["light", "dark"]


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium, or set ARCAL_CHROMIUM to its path")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Reader:
    """Opens a page and keeps what a good page never does: errors, dialogs, requests."""

    def __init__(self, browser, folder: Path):
        self.browser, self.folder, self.complaints = browser, folder, []

    def open(self, payload, address="", size=(1280, 800), theme="light"):
        path = write_explorer(self.folder / "page.html", payload)
        return self.open_path(path, address, size, theme)

    def open_path(self, path, address="", size=(1280, 800), theme="light"):
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            accept_downloads=True,
        )
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", self._console)
        page.on("dialog", self._dialog)
        page.on("request", self._request)
        page.goto(path.as_uri() + address)
        page.wait_for_selector("#inputs")
        return page

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _dialog(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.complaints.append(f"request: {request.url}")


@pytest.fixture
def reader(browser, tmp_path):
    reader = Reader(browser, tmp_path)
    yield reader
    for context in browser.contexts:
        context.close()
    assert not reader.complaints


def shot(page, folder: Path, name: str) -> None:
    target = Path(ARTEFACTS) if ARTEFACTS else folder
    target.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target / f"{name}.png", full_page=True)
