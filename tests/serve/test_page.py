"""The page in a real browser: asking, stopping, editing, versions, schema, what is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from fakes import context_of
from qingyu.engine.scheduler import SchedulerSettings
from serve.browser import Tab, opened
from serve.serving import Server, serving

LONG = "one two three four five six seven eight nine ten"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
ANSWERS = {
    "Explain in three sentences why the sky is blue.": "Rayleigh scattering.",
    "Hi": "Hello there!",
    "Hi again": "Hello once more.",
    "你好": "你好！有什么可以帮你？",
    "Long": LONG,
    "Who?": '{"name": "Ann", "age": 12345678901234567890}',
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


class Gate:
    """Lets the fake core compute only as many tokens as were allowed."""

    def __init__(self, server: Server) -> None:
        self._tokens = threading.Semaphore(0)
        self._core = context_of(server.model)
        self._core.before_forward = self._pass

    def _pass(self) -> None:
        assert self._tokens.acquire(timeout=20), "a test forgot to open its gate"

    def allow(self, count: int) -> None:
        self._tokens.release(count)

    def open(self) -> None:
        self._core.before_forward = None
        self._tokens.release(10_000)


@pytest.fixture
def gated(browser: Browser) -> Iterator[tuple[Tab, Gate]]:
    """One place and a queue of none, and a core that waits to be allowed."""
    settings = SchedulerSettings(max_running=1, max_waiting=0, speculation=False)
    with serving(ANSWERS, scheduling=settings) as server:
        gate = Gate(server)
        try:
            with opened(browser, server) as tab:
                yield tab, gate
        finally:
            gate.open()


def stored(tab: Tab) -> list[Any]:
    """The conversations the browser keeps."""
    script = """() => Object.keys(localStorage).filter((key) => key.startsWith("qingyu.chat."))
        .map((key) => JSON.parse(localStorage.getItem(key)))"""
    found = tab.page.evaluate(script)
    assert isinstance(found, list)
    return found


def test_an_answer_streams_and_says_how_fast_it_was(tab: Tab) -> None:
    tab.ask("Hi")
    assert tab.answer() == "Hello there!"
    expect(tab.box).to_have_value("")
    facts = tab.last.locator(".facts")
    expect(facts).to_contain_text("12 tokens")
    expect(facts).to_contain_text("tokens/s")
    expect(facts).to_contain_text("first after")
    expect(facts).to_contain_text("prompt tokens cached")
    expect(tab.page.locator("#announcer")).to_have_text("Answer finished. Hello there!")
    expect(tab.page.locator("#title")).to_have_text("Hi")


def test_text_appears_while_it_is_written_and_stop_ends_it(gated: tuple[Tab, Gate]) -> None:
    tab, gate = gated
    tab.ask("Long")
    gate.allow(8)  # the prompt's gives the first letter
    expect(tab.last.locator(".body")).to_have_text("one two ")
    expect(tab.last).to_have_attribute("aria-busy", "true")
    tab.page.keyboard.press("Escape")
    tab.finished()
    expect(tab.last.locator(".body")).to_have_text("one two ")
    expect(tab.last.locator(".facts")).to_contain_text("stopped")
    gate.open()
    # The server stopped as well: the next question has its place.
    tab.ask("Hi")
    assert tab.answer() == "Hello there!"
    assert tab.server.scheduler.stats().cancelled == 1


def test_stopped_before_the_first_word_it_can_be_asked_again(gated: tuple[Tab, Gate]) -> None:
    tab, gate = gated
    tab.ask("Hi")
    tab.page.get_by_role("button", name="Stop").click()
    expect(tab.last.locator(".facts")).to_have_text("stopped")
    expect(tab.box).to_be_focused()
    gate.open()
    tab.last.get_by_role("button", name="Answer again").click()
    assert tab.answer() == "Hello there!"
    assert tab.page.locator(".version").count() == 0  # nothing is no version


def test_a_full_queue_is_waited_for(gated: tuple[Tab, Gate]) -> None:
    tab, gate = gated
    tab.expected_errors = ("429",)
    moved = threading.Event()
    job = tab.server.scheduler.submit([1, 2, 3], max_tokens=1, notify=moved.set)
    tab.ask("Hi")
    expect(tab.last.locator(".notice")).to_contain_text("The server is busy. Trying again in")
    gate.open()
    while not job.finished:
        assert moved.wait(10)
        moved.clear()
    tab.last.get_by_role("button", name="Try now").click()
    assert tab.answer() == "Hello there!"


def test_a_tab_closed_while_it_waits_can_ask_again(gated: tuple[Tab, Gate]) -> None:
    tab, gate = gated
    tab.expected_errors = ("429",)
    moved = threading.Event()
    job = tab.server.scheduler.submit([1, 2, 3], max_tokens=1, notify=moved.set)
    tab.ask("Hi")
    expect(tab.last.get_by_role("button", name="Try now")).to_be_visible()
    tab.page.reload()
    tab.page.locator(".open-chat").click()
    expect(tab.last).to_have_attribute("aria-busy", "false")
    expect(tab.last.locator(".facts")).to_have_text("interrupted")
    gate.open()
    while not job.finished:
        assert moved.wait(10)
        moved.clear()
    tab.last.get_by_role("button", name="Answer again").click()
    assert tab.answer() == "Hello there!"


def test_a_question_is_edited_and_its_first_version_stays(tab: Tab) -> None:
    tab.ask("Hi")
    tab.finished()
    tab.box.press("ArrowUp")
    edit = tab.page.get_by_role("textbox", name="Edit your message")
    expect(edit).to_be_focused()
    edit.fill("Hi again")
    edit.press("Enter")
    assert tab.answer() == "Hello once more."
    expect(tab.box).to_be_focused()
    assert tab.page.locator("article").count() == 2
    question = tab.page.locator("article.question")
    expect(question.locator(".version")).to_contain_text("2/2")
    question.get_by_role("button", name="Earlier version").click()
    assert tab.answer() == "Hello there!"
    expect(question.locator(".bubble")).to_have_text("Hi")
    # Leaving the box changes nothing.
    question.get_by_role("button", name="Edit").click()
    tab.page.get_by_role("textbox", name="Edit your message").press("Escape")
    expect(question.locator(".bubble")).to_have_text("Hi")


def test_answering_again_keeps_the_first_answer(tab: Tab) -> None:
    tab.ask("Hi")
    tab.finished()
    tab.last.get_by_role("button", name="Answer again").click()
    expect(tab.last.locator(".version")).to_contain_text("2/2")
    assert tab.answer() == "Hello there!"
    tab.last.get_by_role("button", name="Earlier version").click()
    expect(tab.last.locator(".version")).to_contain_text("1/2")


def test_settings_reach_the_server_and_belong_to_the_conversation(tab: Tab) -> None:
    sent: list[Any] = []
    tab.page.on("request", lambda request: sent.append(request.post_data_json))
    tab.page.get_by_role("button", name="Settings of this conversation").click()
    sheet = tab.page.get_by_role("dialog")
    sheet.get_by_label("System prompt").fill("Be brief.")
    sheet.get_by_role("spinbutton", name="Temperature").fill("0")
    sheet.get_by_role("slider", name="Top-p").fill("0.5")
    sheet.get_by_label("Top-k").fill("7")
    sheet.get_by_label("Most tokens in an answer").fill("5")
    sheet.get_by_label("Seed").fill("42")
    sheet.get_by_label("Stop at").fill("four\nfive")
    # Out of range: named, not taken, and Done does not hide it.
    sheet.get_by_label("Min-p").first.fill("3")
    expect(sheet).to_contain_text("Min-p must be from 0 to 1.")
    sheet.get_by_role("button", name="Done").click()
    expect(sheet.get_by_label("Min-p").first).to_be_focused()
    sheet.get_by_label("Min-p").first.fill("0.1")
    sheet.get_by_role("button", name="Done").click()
    expect(sheet).to_be_hidden()
    tab.ask("Long")
    tab.finished()
    (body,) = [one for one in sent if one]
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Long"},
    ]
    wanted = {"temperature": 0, "top_p": 0.5, "top_k": 7, "min_p": 0.1, "seed": 42}
    assert {key: body[key] for key in wanted} == wanted
    assert body["stop"] == ["four", "five"]
    assert body["max_completion_tokens"] == 5
    expect(tab.last.locator(".notice")).to_contain_text("reached the token limit")
    expect(tab.last.locator(".facts")).to_contain_text("5 tokens")
    tab.page.keyboard.press("Control+k")
    expect(tab.page.locator("#chips")).to_be_empty()


def test_a_schema_makes_json_and_a_broken_one_is_not_sent(tab: Tab) -> None:
    tab.page.get_by_role("button", name="Settings of this conversation").click()
    schema = tab.page.get_by_role("textbox", name="JSON schema")
    schema.fill('{"type": ')
    expect(tab.page.get_by_role("dialog")).to_contain_text("Not JSON yet")
    tab.page.keyboard.press("Escape")
    tab.ask("Who?")
    # Asked for again, at the place where it is wrong; the message is not lost.
    expect(schema).to_be_focused()
    expect(tab.box).to_have_value("Who?")
    schema.fill(json.dumps(SCHEMA))
    expect(tab.page.get_by_role("dialog")).to_contain_text("Valid JSON")
    tab.page.get_by_role("button", name="Done").click()
    tab.box.press("Enter")
    tab.finished()
    # Laid out, and every digit as the model wrote it.
    expect(tab.last.locator("pre")).to_have_text(
        '{\n  "name": "Ann",\n  "age": 12345678901234567890\n}'
    )
    expect(tab.page.get_by_role("button", name="JSON schema")).to_be_visible()


def test_an_error_is_shown_in_its_place_with_the_servers_words(tab: Tab) -> None:
    tab.expected_errors = ("400",)
    tab.ask("x" * 5000)
    tab.finished()
    expect(tab.last.locator(".notice")).to_contain_text("4096")
    expect(tab.last.get_by_role("button", name="Try again")).to_be_visible()
    # A failed answer is no version of anything.
    tab.last.get_by_role("button", name="Try again").click()
    tab.finished()
    assert tab.page.locator(".version").count() == 0


def test_an_answer_that_fills_the_context_is_not_offered_a_higher_limit(browser: Browser) -> None:
    with serving({"Long": LONG * 9}, context=96) as server, opened(browser, server) as tab:
        tab.ask("Long")
        tab.finished()
        expect(tab.last.locator(".notice")).to_contain_text("fills the model's context")
        expect(tab.last.get_by_role("button", name="Raise the limit")).to_have_count(0)
        tab.last.get_by_role("button", name="New chat").click()
        expect(tab.page.locator(".welcome")).to_be_visible()
        tab.page.locator("#open-settings").click()
        tab.page.get_by_label("Most tokens in an answer").fill("5")
        tab.page.get_by_role("button", name="Done").click()
        tab.ask("Long")
        tab.finished()
        tab.last.get_by_role("button", name="Raise the limit").click()
        expect(tab.page.get_by_label("Most tokens in an answer")).to_be_focused()


def test_a_server_that_went_away_is_noticed_and_found_again(tab: Tab) -> None:
    tab.expected_errors = ("ERR_INTERNET_DISCONNECTED", "401")
    tab.page.context.set_offline(True)
    tab.ask("Hi")
    tab.finished()
    expect(tab.last.locator(".notice")).to_contain_text("The server does not answer")
    expect(tab.page.get_by_role("alert")).to_contain_text("No connection to the server")
    # Started anew it has another token for its page.
    tab.server.service.page_token = "another token of the page"
    tab.page.context.set_offline(False)
    tab.last.get_by_role("button", name="Try again").click()
    assert tab.answer() == "Hello there!"
    expect(tab.page.get_by_role("alert")).to_be_hidden()


def test_a_model_that_still_loads_is_waited_for(tab: Tab) -> None:
    tab.expected_errors = ("503",)
    engine, tab.server.service.engine = tab.server.service.engine, None
    try:
        tab.page.reload()
        expect(tab.page.get_by_role("alert")).to_contain_text("The model is still loading.")
    finally:
        tab.server.service.engine = engine
    expect(tab.page.get_by_role("alert")).to_be_hidden()
    expect(tab.page.locator("#model")).to_have_text("fake")


def test_a_suggestion_is_sent_with_its_schema(tab: Tab) -> None:
    tab.page.get_by_role("button", name="Explain").click()
    assert tab.answer() == "Rayleigh scattering."
    expect(tab.box).to_be_focused()
    expect(tab.page.locator("#chips")).to_be_empty()
    tab.page.keyboard.press("Control+k")
    tab.page.get_by_role("button", name="Fill a form").click()
    expect(tab.page.get_by_role("button", name="JSON schema")).to_be_visible()
    tab.finished()
    assert json.loads(tab.last.locator("pre").inner_text())["quantity"] > 0


def test_conversations_are_kept_found_renamed_exported_and_deleted(tab: Tab) -> None:
    tab.ask("Hi")
    tab.finished()
    tab.page.keyboard.press("Control+k")
    tab.ask("你好")
    tab.finished()
    tab.page.reload()
    items = tab.page.locator("#conversations li")
    expect(items).to_have_count(2)
    search = tab.page.get_by_role("searchbox")
    search.fill("hello THERE")  # in the answer, not in the title
    expect(items).to_have_count(1)
    tab.page.get_by_role("button", name="Hi", exact=True).click()
    expect(tab.last.locator(".body")).to_have_text("Hello there!")
    tab.page.get_by_role("button", name="Rename “Hi”").click()
    tab.page.get_by_role("textbox", name="New name").fill("Greeting")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#title")).to_have_text("Greeting")
    expect(tab.page.get_by_role("button", name="Greeting", exact=True)).to_be_focused()
    search.fill("")
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="Export all conversations").click()
    exported = json.loads(download.value.path().read_text())
    assert {one["title"] for one in exported} == {"Greeting", "你好"}
    tab.page.get_by_role("button", name="Delete “Greeting”").click()
    expect(items).to_have_count(1)
    assert [one["title"] for one in stored(tab)] == ["你好"]
    tab.page.get_by_role("button", name="Undo").click()
    expect(items).to_have_count(2)
    assert len(stored(tab)) == 2
    search.fill("nowhere")
    expect(tab.page.locator("#conversations")).to_contain_text("No conversation has “nowhere”.")


def test_a_full_storage_is_said_and_nothing_is_lost(tab: Tab) -> None:
    fill = """() => {
      for (let size = 1 << 22; size >= 1; size >>= 1)
        for (let n = 0; n < 3; n += 1)
          try { localStorage.setItem(`junk${size}.${n}`, "x".repeat(size)); } catch { break; }
    }"""
    tab.page.evaluate(fill)
    tab.ask("Hi")
    assert tab.answer() == "Hello there!"
    alert = tab.page.get_by_role("alert")
    expect(alert).to_contain_text("storage is full")
    with tab.page.expect_download() as download:
        alert.get_by_role("button", name="Export this conversation").click()
    assert json.loads(download.value.path().read_text())["title"] == "Hi"
    tab.page.evaluate("localStorage.clear()")
    tab.ask("Hi again")
    tab.finished()
    expect(alert).to_be_hidden()
    assert [one["title"] for one in stored(tab)] == ["Hi"]


def test_an_answer_goes_on_while_another_conversation_is_open(gated: tuple[Tab, Gate]) -> None:
    tab, gate = gated
    tab.ask("Long")
    gate.allow(4)
    expect(tab.last.locator(".body")).to_have_text("one ")
    tab.page.keyboard.press("Control+k")
    expect(tab.page.locator(".welcome")).to_be_visible()
    gate.open()
    expect(tab.page.locator(".pulse")).to_have_count(0)
    tab.page.get_by_role("button", name="Long", exact=True).click()
    assert tab.answer() == LONG


def test_a_deleted_conversation_does_not_come_back(gated: tuple[Tab, Gate]) -> None:
    tab, gate = gated
    tab.ask("Long")
    gate.allow(4)
    expect(tab.last.locator(".body")).to_have_text("one ")
    tab.page.locator("#conversations li").hover()
    tab.page.get_by_role("button", name="Delete “Long”").click()
    gate.open()
    expect(tab.page.locator(".welcome")).to_be_visible()
    tab.ask("Hi")
    tab.finished()
    assert [one["title"] for one in stored(tab)] == ["Hi"]


def test_enter_that_ends_a_composition_does_not_send(tab: Tab) -> None:
    tab.box.focus()
    session = tab.page.context.new_cdp_session(tab.page)
    session.send(
        "Input.imeSetComposition", {"text": "ni hao", "selectionStart": 6, "selectionEnd": 6}
    )
    key = """(fields) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
        { key: "Enter", bubbles: true, cancelable: true, ...fields }))"""
    # Untouched (true): the input method gets the key. Once as Chromium reports it, once as Safari.
    assert tab.page.evaluate(key, {"isComposing": True}) is True
    assert tab.page.evaluate(key, {"keyCode": 229}) is True
    session.send("Input.insertText", {"text": "你好"})
    expect(tab.box).to_have_value("你好")
    assert tab.page.locator("article").count() == 0
    tab.box.press("Shift+Enter")
    expect(tab.box).to_have_value("你好\n")
    tab.box.press("Enter")
    assert tab.answer() == "你好！有什么可以帮你？"
