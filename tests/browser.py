"""A real Chromium for tests of the page: found on the machine, started without a head, held to what it may not say."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requirement import BROWSER, do_without

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def start_browser() -> Iterator[Any]:
    """Start Chromium with a profile of its own, which goes with it."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        do_without(BROWSER, "there is no Chromium on this machine: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        do_without(BROWSER, "there is no Playwright: pip install playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def open_tab(
    browser: Any, *, width: int = 1280, height: int = 800, scheme: str = "light", quiet: bool = True
) -> Iterator[Any]:
    """Open a tab that shares nothing with others; if it is to be quiet, an error in its console fails the test."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    context.set_default_timeout(10_000)
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    yield tab
    context.close()
    assert not quiet or complaints == []
