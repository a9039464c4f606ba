"""What the page makes of text: Markdown as meant, and never markup of the model's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from serve.browser import Tab, opened
from serve.serving import Server, serving

MARKDOWN = """# Title

Some *short* and **strong** words with `code` and snake_case_names, 2 * 3 * 4.

1. first
2. second
   - inner

```python
print("hi")  # <b>not bold</b>
```

| a | b |
|---|--:|
| 1 | 2 |

> quoted

[docs](https://example.com/a) and https://example.org/b."""
HOSTILE = """<script>window.pwned = 1</script>

<img src=x onerror="window.pwned = 2"> <iframe src="https://evil.example/"></iframe>

![picture](https://evil.example/track.png) [run](javascript:window.pwned=3)
[data](data:text/html,<script>window.pwned=4</script>) [file](file:///etc/passwd)
[local](/metrics) <a href="https://evil.example/">x</a> <https://ok.example/>

[https://good.example](https://evil.example/) [a https://inner.example b](https://outer.example/)

```html"onmouseover="window.pwned=5
<style>body { display: none }</style>
```

| <svg onload=window.pwned=6> | `<b>` |
|---|---|
| **<i>x</i>** | &lt;script&gt; |"""
BOMB = '<img src=x onerror="window.pwned=1">'
ANSWERS = {
    f"{BOMB}\n\n{BOMB}": BOMB,  # one that was never answered goes with the next
    "Markdown": MARKDOWN,
    "Hostile": HOSTILE,
    "Think": "<think>\nLet me **see**.\n</think>\n\nForty-two.",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


def test_markdown_is_shown_as_meant(tab: Tab) -> None:
    tab.ask("Markdown")
    tab.finished()
    body = tab.last.locator(".prose")
    expect(body.locator("h3")).to_have_text("Title")
    expect(body.locator("em")).to_have_text("short")
    expect(body.locator("strong")).to_have_text("strong")
    expect(body.locator("p").first).to_contain_text("snake_case_names, 2 * 3 * 4.")
    expect(body.locator("ol > li").nth(1).locator("ul > li")).to_have_text("inner")
    expect(body.locator("pre")).to_have_text('print("hi")  # <b>not bold</b>')
    expect(body.locator("td").nth(1)).to_have_text("2")
    expect(body.locator("blockquote")).to_have_text("quoted")
    links = body.locator("a")
    assert [link.get_attribute("href") for link in links.all()] == [
        "https://example.com/a",
        "https://example.org/b",
    ]
    for link in links.all():
        assert link.get_attribute("rel") == "noopener noreferrer"
        assert link.get_attribute("target") == "_blank"
    expect(body.locator(".host").first).to_have_text(" (example.com)")


def test_text_of_the_model_is_never_html(tab: Tab) -> None:
    tab.ask("Hostile")
    tab.finished()
    script = """() => ({
      pwned: window.pwned ?? null,
      tags: [...new Set([...document.querySelectorAll("#messages .body *")].map((n) => n.tagName))],
      attributes: [...document.querySelectorAll("#messages .body *")]
        .flatMap((n) => n.getAttributeNames()).filter((name) => /^(on.*|src|style)$/.test(name)),
      links: [...document.querySelectorAll("#messages .body a")].map((n) => n.href),
      nested: document.querySelectorAll("#messages .body a a").length,
    })"""
    found = tab.page.evaluate(script)
    assert found["pwned"] is None
    assert found["attributes"] == []
    assert found["nested"] == 0
    assert not {"SCRIPT", "IMG", "IFRAME", "STYLE", "B", "I", "SVG"} & set(found["tags"])
    assert all(link.startswith(("https://", "http://")) for link in found["links"])
    text = tab.last.locator(".body").inner_text()
    assert "<script>window.pwned = 1</script>" in text
    assert "https://good.example (evil.example)" in text
    assert "&lt;script&gt;" in text


def test_hostile_text_of_a_person_and_of_storage_is_no_html_either(tab: Tab) -> None:
    tab.page.evaluate(
        """(bomb) => {
          const message = { id: "m", parent: null, role: "user", content: bomb };
          const good = { format: 1, id: "good", title: bomb, created: 1, updated: 1, leaf: "m",
            messages: { m: message }, settings: { system: "", stop: 7, temperature: bomb } };
          localStorage.setItem("qingyu.chat.good", JSON.stringify(good));
          localStorage.setItem("qingyu.chat.bad", '{"format": 1, "id": 7}');
          localStorage.setItem("qingyu.chat.worse", "not JSON");
        }""",
        BOMB,
    )
    tab.page.reload()
    # What cannot be read is said, and left as it is.
    expect(tab.page.get_by_role("alert")).to_contain_text("cannot be read")
    tab.page.get_by_role("button", name=BOMB, exact=True).click()
    expect(tab.page.locator(".bubble")).to_have_text(BOMB)
    tab.ask(BOMB)
    assert tab.answer() == BOMB
    assert tab.page.evaluate("window.pwned ?? null") is None
    assert tab.page.locator("#messages img").count() == 0


def test_thoughts_are_folded_away(tab: Tab) -> None:
    tab.ask("Think")
    tab.finished()
    thought = tab.last.locator("details")
    expect(thought.locator(".prose")).to_be_hidden()
    expect(tab.last.locator(".body > .prose")).to_have_text("Forty-two.")
    thought.locator("summary").click()
    expect(thought.locator("strong")).to_have_text("see")


def test_copying_gives_the_text_as_the_model_wrote_it(browser: Browser, server: Server) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with opened(browser, server, permissions=permissions) as tab:
        tab.ask("Markdown")
        tab.finished()
        read = "navigator.clipboard.readText()"
        tab.last.get_by_role("button", name="Copy", exact=True).click()
        expect(tab.page.locator("#announcer")).to_have_text("Copied")
        assert tab.page.evaluate(read) == MARKDOWN
        tab.last.get_by_role("button", name="Copy code").click()
        expect(tab.last.get_by_role("button", name="Copy code")).to_have_attribute(
            "data-done", "yes"
        )
        assert tab.page.evaluate(read) == 'print("hi")  # <b>not bold</b>'
