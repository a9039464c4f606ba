"""The page for everybody: by keyboard, by screen reader, in Chinese, dark, on a phone.

Names come from the browser's accessibility tree; contrast and sizes are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from qingyu.serve.seal.probes import titles
from serve.browser import Tab, broken_markup, faint_text, opened, unnamed
from serve.serving import Server, serving

ANSWER = """Some `code` and [a link](https://example.com/):

```python
def f(x):  # comment
    return "text" + str(12)
```

| a | b |
|---|---|
| 1 | 2 |

> quoted
"""
ANSWERS = {"Hi": ANSWER, "天空为什么是蓝色的？": "因为**散射**。"}
ROWS = [
    {"name": "tcp", "title": "TCP connection", "outcomes": {"none": "reached", "all": "EPERM"}},
    {"name": "mptcp", "title": "multipath TCP", "outcomes": {"none": "absent", "all": "absent"}},
    {"name": "dns", "title": "DNS query", "outcomes": {"none": "reached", "all": "reached"}},
]
SEAL = {
    "sealed": True,
    "summary": "sealed",
    "layers": [
        {"name": "seccomp", "active": True, "detail": "no new socket"},
        {"name": "landlock", "active": False, "detail": "the kernel has none"},
    ],
}
PHONE = {"viewport": {"width": 360, "height": 700}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


@pytest.fixture
def sealed(server: Server) -> Iterator[Server]:
    before = server.service.seal, server.service.probes
    server.service.seal, server.service.probes = SEAL, {"holds": True, "rows": ROWS}
    yield server
    server.service.seal, server.service.probes = before


def talk(tab: Tab) -> None:
    tab.ask("Hi")
    tab.finished()


def open_dialog(identifier: str) -> Callable[[Tab], None]:
    def open_it(tab: Tab) -> None:
        tab.page.locator(identifier).click()
        expect(tab.page.get_by_role("dialog")).to_be_visible()

    return open_it


def edit(tab: Tab) -> None:
    talk(tab)
    tab.box.press("ArrowUp")


def fill_wrongly(tab: Tab) -> None:
    open_dialog("#open-settings")(tab)
    tab.page.get_by_role("textbox", name="JSON schema").fill("{")
    tab.page.get_by_role("spinbutton", name="Temperature").fill("9")


STATES: dict[str, Callable[[Tab], None]] = {
    "empty": lambda tab: None,
    "talk": talk,
    "edit": edit,
    "settings": fill_wrongly,
    "model": open_dialog("#model"),
    "seal": open_dialog("#seal"),
    "shortcuts": open_dialog("#shortcuts"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_everything_has_a_name_and_can_be_read(
    browser: Browser, sealed: Server, state: str, scheme: str
) -> None:
    # Without motion, so that no colour is measured half-way.
    with opened(browser, sealed, color_scheme=scheme, reduced_motion="reduce") as tab:
        STATES[state](tab)
        assert unnamed(tab.page) == []
        assert faint_text(tab.page) == []
        assert broken_markup(tab.page) == []


def test_the_checks_see_what_is_wrong(browser: Browser, server: Server) -> None:
    with opened(browser, server) as tab:
        tab.page.evaluate(
            """() => {
              const button = document.createElement("button");
              const text = document.createElement("p");
              button.id = "send";
              button.style.width = button.style.height = "10px";
              text.textContent = "faint";
              text.style.color = "#bbb";
              document.querySelector("#main").append(button, text);
            }"""
        )
        assert [one.split(":")[0] for one in unnamed(tab.page)] == ["button"]
        assert [text for _, text in faint_text(tab.page)] == ["faint"]
        found = " ".join(broken_markup(tab.page))
        assert "id twice: send" in found
        assert "small: <button" in found


def focused(page: Page) -> str:
    script = """() => {
      const node = document.activeElement;
      return node.getAttribute("aria-label") || node.placeholder || node.textContent.trim();
    }"""
    return str(page.evaluate(script))


def test_all_of_it_works_by_keyboard(browser: Browser, sealed: Server) -> None:
    with opened(browser, sealed) as tab:
        keys = tab.page.keyboard
        expect(tab.box).to_be_focused()
        keys.type("Hi")
        keys.press("Enter")
        tab.finished()
        expect(tab.box).to_be_focused()
        # From the top: past everything at once, or one by one, each with a ring to be seen.
        tab.page.evaluate("document.querySelector('.skip').focus()")
        keys.press("Enter")
        expect(tab.box).to_be_focused()
        tab.page.evaluate("document.querySelector('.skip').focus()")
        seen = []
        for _ in range(40):
            keys.press("Tab")
            seen.append(focused(tab.page))
            ring = tab.page.evaluate(
                """() => { const node = document.activeElement, style = getComputedStyle(node);
                  return style.outlineStyle !== "none" || node.matches("#message"); }"""
            )
            assert ring, seen[-1]
            if seen[-1] == "Ask anything…":
                break
        for name in (
            "Search conversations",
            "Hi",
            "Rename “Hi”",
            "Delete “Hi”",
            "Sealed · nothing can leave",
            "Settings of this conversation",
            "Edit",
            "Copy code",
            "Answer again",
            "Ask anything…",
        ):
            assert name in seen
        # A dialog takes the focus, keeps it, and gives it back.
        tab.page.locator("#seal").focus()
        keys.press("Enter")
        dialog = tab.page.get_by_role("dialog", name="The seal")
        expect(dialog).to_be_visible()
        expect(tab.page.locator("dialog[open]:focus-within")).to_have_count(1)
        keys.press("Escape")
        expect(dialog).to_be_hidden()
        expect(tab.page.locator("#seal")).to_be_focused()
        keys.press("/")
        expect(tab.box).to_be_focused()
        keys.type("/?")  # in a box they are letters
        expect(tab.box).to_have_value("/?")
        tab.box.fill("")
        tab.page.locator("#theme").focus()
        keys.press("?")
        expect(tab.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        keys.press("Control+Shift+F")
        expect(tab.page.get_by_role("searchbox")).to_be_focused()
        keys.press("Control+k")
        expect(tab.page.locator(".welcome")).to_be_visible()
        expect(tab.box).to_be_focused()


def test_deleting_leaves_the_focus_where_one_can_go_on(browser: Browser, server: Server) -> None:
    with opened(browser, server) as tab:
        talk(tab)
        tab.page.get_by_role("button", name="Delete “Hi”").press("Enter")
        expect(tab.page.locator("#new-chat")).to_be_focused()


def test_the_seal_shows_its_proof(browser: Browser, sealed: Server) -> None:
    with opened(browser, sealed) as tab:
        badge = tab.page.get_by_role("button", name="Sealed · nothing can leave")
        expect(badge).to_be_visible()
        badge.click()
        dialog = tab.page.get_by_role("dialog", name="The seal")
        rows = dialog.get_by_role("row")
        expect(rows.nth(1)).to_contain_text("TCP connection")
        expect(rows.nth(1)).to_contain_text("got out")
        expect(rows.nth(1)).to_contain_text("refused (EPERM)")
        expect(rows.nth(2).locator(".absent")).to_have_count(2)
        # A locked process that got out is no proof, and does not look like one.
        expect(rows.nth(3).locator("td.bad")).to_have_count(1)
        expect(rows.nth(1).locator("td.good")).to_have_count(2)


def test_the_proof_is_in_the_pages_language_not_the_servers(
    browser: Browser, sealed: Server
) -> None:
    with opened(browser, sealed, locale="zh-CN") as tab:
        tab.page.locator("#seal").click()
        dialog = tab.page.get_by_role("dialog", name="封闭状态")
        expect(dialog.get_by_role("row").nth(1)).to_contain_text("TCP 连接")
        expect(dialog.locator(".layers li").first).to_contain_text("拒绝新建套接字")
        tab.page.keyboard.press("Escape")


def test_every_probe_has_words_of_the_page(browser: Browser, server: Server) -> None:
    with opened(browser, server, locale="zh-CN") as tab:
        script = """async (names) => {
            const { sayOr } = await import("/page/words.js");
            return names.map((name) => sayOr(`probe_${name}`, name));
        }"""
        names = list(titles())
        left = [
            name
            for name, text in zip(names, tab.page.evaluate(script, names), strict=True)
            if name == text
        ]
        assert left == ["io_uring"]  # a name that is the same in any language


def test_authorization_is_left_to_a_proxy_in_front(browser: Browser, server: Server) -> None:
    """A proxy that asks for a password gets it in that header, unless a script takes it."""
    with opened(browser, server) as tab:
        sent: list[dict[str, str]] = []
        tab.page.on("request", lambda request: sent.append(request.headers))
        tab.ask("Hi")
        tab.finished()
        assert any(headers.get("qingyu-page-token") for headers in sent)
        assert not any("authorization" in headers for headers in sent)


def test_an_open_server_says_so(browser: Browser, server: Server) -> None:
    with opened(browser, server) as tab:
        badge = tab.page.get_by_role("button", name="Not sealed")
        expect(badge).to_be_visible()
        expect(tab.page.locator(".welcome")).not_to_contain_text("stays here")
        badge.click()
        expect(tab.page.get_by_role("dialog")).to_contain_text("qingyu doctor --network")


def test_the_model_panel_shows_what_the_server_counts(browser: Browser, server: Server) -> None:
    with opened(browser, server) as tab:
        talk(tab)
        tab.page.get_by_role("button", name="Model fake, details").click()
        dialog = tab.page.get_by_role("dialog", name="Model and memory")
        expect(dialog).to_contain_text("4,096 tokens")
        expect(dialog).to_contain_text("of 32,768 tokens")
        expect(dialog.get_by_role("meter")).to_have_attribute("max", "32768")
        written = dialog.locator("div", has_text="Tokens written").locator("dd").last
        expect(written).not_to_have_text("0")


def test_chinese_is_the_browsers_choice_or_the_persons(browser: Browser, server: Server) -> None:
    with opened(browser, server, locale="zh-CN") as tab:
        expect(tab.page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(tab.box).to_have_attribute("placeholder", "想聊点什么？")
        tab.ask("天空为什么是蓝色的？")
        tab.finished()
        expect(tab.last.locator(".facts")).to_contain_text("词元/秒")
        assert unnamed(tab.page) == []
        tab.page.get_by_role("button", name="Switch to English").click()
        expect(tab.page.locator("html")).to_have_attribute("lang", "en")
        expect(tab.page.get_by_role("button", name="New chat").first).to_be_visible()
        expect(tab.last.locator(".facts")).to_contain_text("tokens/s")
        tab.page.reload()
        expect(tab.box).to_have_attribute("placeholder", "Ask anything…")


def test_both_languages_have_every_word(browser: Browser, server: Server) -> None:
    with opened(browser, server) as tab:
        shown = {}
        for language in ("en", "zh"):
            texts: dict[str, Any] = tab.page.evaluate(
                """async (language) => {
                  const source = await (await fetch("/page/words.js")).text();
                  const { say, useLanguage } = await import("/page/words.js");
                  useLanguage(language);
                  const words = source.split("export const SUGGESTIONS")[0];
                  const keys = [...words.matchAll(/^  (\\w+): \\[/gm)];
                  return Object.fromEntries(keys.map(([, key]) => [key, say(key)]));
                }""",
                language,
            )
            shown[language] = texts
        assert len(shown["en"]) > 100
        assert all(shown["en"].values())
        same = {key for key, text in shown["en"].items() if shown["zh"][key] == text}
        assert same == {"topP", "topK", "minP"}


def test_colours_follow_the_system_until_chosen(browser: Browser, server: Server) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, server, color_scheme="dark") as tab:
        assert tab.page.evaluate(paper) == "rgb(21, 25, 24)"
        tab.page.get_by_role("button", name="Switch to light colours").click()
        assert tab.page.evaluate(paper) == "rgb(255, 255, 255)"
        tab.page.reload()
        assert tab.page.evaluate(paper) == "rgb(255, 255, 255)"
        expect(tab.page.get_by_role("button", name="Switch to dark colours")).to_be_visible()


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_phone_shows_all_without_scrolling_sideways(
    browser: Browser, sealed: Server, locale: str
) -> None:
    with opened(browser, sealed, locale=locale, reduced_motion="reduce", **PHONE) as tab:
        wide = "document.documentElement.scrollWidth > innerWidth"
        assert not tab.page.evaluate(wide)
        talk(tab)
        assert not tab.page.evaluate(wide)
        scroller = tab.page.locator("#scroller")
        assert not scroller.evaluate("(node) => node.scrollWidth > node.clientWidth")
        assert broken_markup(tab.page) == []
        for button in ("#open-settings", "#model", "#seal"):
            tab.page.locator(button).tap()
            box = tab.page.get_by_role("dialog").bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
            tab.page.keyboard.press("Escape")
        # The list is a drawer: out of reach while shut, and what is below it while open.
        drawer = tab.page.locator("#sidebar")
        assert tab.page.evaluate("document.querySelector('#sidebar').inert")
        tab.page.locator("#open-sidebar").tap()
        expect(drawer).to_be_visible()
        expect(tab.page.locator("#close-sidebar")).to_be_focused()
        assert tab.page.evaluate("document.querySelector('#main').inert")
        tab.page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()
        expect(tab.page.locator("#open-sidebar")).to_be_focused()
