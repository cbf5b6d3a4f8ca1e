"""Shoot the pages that docs/audit-gallery.md shows.

    python scripts/gallery_pictures.py audits

The folder holds what the page's commands wrote. The top of each NAME/index.html, 1000 pixels wide,
becomes docs/pictures/NAME.png; `--width`, `--height`, `--dark` and `--to` shoot it otherwise. Needs
Playwright (`pip install -e '.[test]'`) and Chromium, which is looked for on the path or in
ARCAL_CHROMIUM.
"""

import argparse
import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LARGEST = 150_000
"""Bytes of a picture."""


def shot(browser: Browser, page: Path, width: int, height: int, dark: bool) -> Image.Image:
    """What a reader sees first, at one pixel a pixel."""
    window = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    window.goto(page.resolve().as_uri())
    window.wait_for_selector("#inputs")
    window.wait_for_timeout(500)  # pictures are decoded after the page is there
    picture = window.screenshot(full_page=height == 0)
    window.close()
    return Image.open(io.BytesIO(picture)).convert("RGB")


def small(picture: Image.Image) -> bytes:
    """A PNG with a palette of as many colours as fit."""
    for colours in (256, 128, 64, 32):
        stream = io.BytesIO()
        palette = picture.quantize(colours, Image.Quantize.FASTOCTREE)
        palette.save(stream, "PNG", optimize=True)
        if stream.tell() < LARGEST:
            break
    return stream.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("audits", type=Path, help="folder of folders with index.html")
    parser.add_argument("--to", type=Path, default=PICTURES)
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--height", type=int, default=1100, help="0 is the whole page")
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    chromium = os.environ.get("ARCAL_CHROMIUM") or shutil.which("chromium")
    options.to.mkdir(exist_ok=True, parents=True)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=QUIET)
        for page in sorted(options.audits.glob("*/index.html")):
            picture = shot(browser, page, options.width, options.height, options.dark)
            target = options.to / f"{page.parent.name}.png"
            target.write_bytes(small(picture))
            print(f"{target}: {target.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
