"""A real browser for the tests of the page, and checks of what it shows.

    with launched() as browser, opened(browser, server) as tab:
        tab.ask("Hi")
        assert tab.answer() == "Hello there"

`opened` fails the test when the page logged an error, broke its own content security policy, or
asked anything of another host. Chromium is the one on the PATH, or $CHROMIUM (see make browser).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from serve.serving import Server

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_MILLISECONDS = 10_000
_CHECKS = Path(__file__).with_name("page_checks.js").read_text()


def browser_path() -> str:
    """Where the browser is; the test fails when there is none."""
    for name in (os.environ.get("CHROMIUM"), *_NAMES):
        if name and (path := shutil.which(name)):
            return path
    pytest.fail("no Chromium was found; install one with: make browser")


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Headless Chromium."""
    expect.set_options(timeout=_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path(),
            # Its own sandbox cannot be made by root in a container; what it opens is our page.
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


class Tab:
    """The page in a browser tab, as a person uses it."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.expected_errors: tuple[str, ...] = ()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def ask(self, text: str) -> None:
        """Types a message and sends it by Enter."""
        self.box.fill(text)
        self.box.press("Enter")

    @property
    def box(self) -> Any:
        return self.page.locator("#message")

    @property
    def last(self) -> Any:
        """The last answer."""
        return self.page.locator("article.answer").last

    def answer(self) -> str:
        """The text of the last answer, once it is whole."""
        self.finished()
        return str(self.last.locator(".body").inner_text())

    def finished(self) -> None:
        """Waits until nothing is being written."""
        expect(self.page.locator("article.answer").last).to_have_attribute("aria-busy", "false")
        expect(self.page.locator("#send")).to_be_visible()

    def check(self) -> None:
        """Nothing went to another host, and nothing went wrong."""
        foreign = [url for url in self.requests if not url.startswith((self.server.url, "blob:"))]
        assert foreign == []
        left = [
            error
            for error in self.errors
            if not any(expected in error for expected in self.expected_errors)
        ]
        assert left == []


@contextlib.contextmanager
def opened(browser: Browser, server: Server, **options: Any) -> Iterator[Tab]:
    """The page in a browser of its own: nothing stored, English, unless `options` say else."""
    context = browser.new_context(
        **{"locale": "en-GB", "viewport": {"width": 1200, "height": 800}, **options}
    )
    context.set_default_timeout(_MILLISECONDS)
    tab = Tab(context.new_page(), server)
    tab.page.goto(server.url)
    expect(tab.page.locator("#model")).to_have_text("fake")
    yield tab
    tab.check()
    context.close()


def unnamed(page: Page) -> list[str]:
    """Controls without a name in the accessibility tree, as role and markup."""
    session = page.context.new_cdp_session(page)
    found = []
    for node in session.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if node["ignored"] or role not in _NAMED:
            continue
        if not node.get("name", {}).get("value", "").strip():
            where = session.send("DOM.describeNode", {"backendNodeId": node["backendDOMNodeId"]})
            found.append(f"{role}: {where['node'].get('attributes')}")
    session.detach()
    return found


_NAMED = {
    "button",
    "link",
    "textbox",
    "searchbox",
    "checkbox",
    "combobox",
    "slider",
    "spinbutton",
    "meter",
    "dialog",
    "navigation",
    "complementary",
    "log",
    "article",
    "region",
    "image",
    "heading",
    "DisclosureTriangle",
}


def faint_text(page: Page) -> list[Any]:
    """Text with too little contrast, as [ratio, text]."""
    found = page.evaluate(f"() => {_CHECKS}.faintText()")
    assert isinstance(found, list)
    return found


def broken_markup(page: Page) -> list[str]:
    """Ids used twice, references that lead nowhere, controls too small to hit."""
    found = page.evaluate(f"() => {_CHECKS}.brokenMarkup()")
    assert isinstance(found, list)
    return found
