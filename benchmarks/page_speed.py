"""How large a page of an audit is, and how soon it answers a click.

    python -m benchmarks.page_speed audit/index.html report/index.html

Opens each page in the system's Chromium and prints medians over several fresh starts: seconds from
opening the file until the page is drawn, and until a click on the fullest bin of the reliability
diagram shows its inputs. 10,000 images should take less than 12 MB and 2 seconds.
"""

import shutil
from pathlib import Path
from statistics import median
from time import perf_counter

import tyro
from playwright.sync_api import Browser, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def main(pages: tyro.conf.Positional[tuple[Path, ...]], starts: int = 5) -> None:
    """Print the megabytes of each page, and its seconds over this many `starts`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        for page in pages:
            drawn, answered = zip(*(opened(browser, page) for _ in range(starts)), strict=True)
            print(
                f"{page}: {page.stat().st_size / 1e6:.2f} MB, drawn after {median(drawn):.2f} s, "
                f"a click answered after {median(answered):.2f} s"
            )
        browser.close()


def opened(browser: Browser, page: Path) -> tuple[float, float]:
    """Seconds until a page is drawn, and until a click is answered, from a fresh start."""
    context = browser.new_context()
    tab = context.new_page()
    started = perf_counter()
    tab.goto(page.resolve().as_uri(), wait_until="commit")
    mark = tab.locator("#reliability .mark").last
    mark.wait_for()
    drawn = perf_counter() - started
    mark.click()
    tab.locator("#reliability .chosen").first.wait_for()
    answered = perf_counter() - started
    context.close()
    return drawn, answered


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
