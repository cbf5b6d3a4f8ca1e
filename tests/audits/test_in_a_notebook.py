"""An audit as a notebook shows it, and its page opened from Python."""

import base64
import re
import webbrowser

import pytest

import arcal
from tests.audits import tiny


@pytest.fixture(scope="module")
def audit():
    name = "<b>mine</b> & others"
    return arcal.audit(tiny.Brightness(), tiny.part(60), name=name, R=3, order="margin", shift=[])


def pictures(shown: str) -> list[str]:
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', shown)
    return [base64.b64decode(data).decode() for data in found]


def test_a_sentence_two_pictures_and_a_link(audit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    audit.report(tmp_path / "my audit")
    shown = audit._repr_html_()
    assert "&lt;b&gt;mine&lt;/b&gt; &amp; others is right on" in shown
    assert "<b>" not in shown
    assert 'href="my%20audit/index.html"' in shown, "as seen from the notebook"
    assert len(pictures(shown)) == 2
    assert all(svg.count("</svg>") == 1 for svg in pictures(shown))
    assert re.findall('alt="[^"]+"', shown)


def test_the_page_is_opened_in_the_browser(audit, tmp_path, monkeypatch):
    """In one that only writes down what it was given."""
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{seen}"\n')
    browser.chmod(0o755)
    monkeypatch.setattr(webbrowser, "_browsers", {})
    monkeypatch.setattr(webbrowser, "_tryorder", [])
    webbrowser.register("written", None, webbrowser.GenericBrowser([str(browser), "%s"]))
    page = audit.explore(tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    assert seen.read_text() == page.resolve().as_uri()
    seen.unlink()
    assert audit.explore() == page, "the one that is there"
    assert seen.exists()
