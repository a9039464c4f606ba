"""The assistant's page in a real browser: what lights up, what is asked, taken back, erased."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from serve.assisting import House, assisting
from serve.browser import Tab, broken_markup, faint_text, unnamed

PHONE = {"viewport": {"width": 360, "height": 700}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with assisting(tmp_path) as house:
        yield house


class Visit(Tab):
    """The assistant's page as a person uses it."""

    def device(self, id: str) -> Locator:
        return self.page.locator(f'[data-id="{id}"]')

    @property
    def reply(self) -> Locator:
        return self.last.locator(".reply")

    def press(self, name: str) -> None:
        self.last.get_by_role("button", name=name, exact=True).click()


@contextlib.contextmanager
def visiting(browser: Browser, house: House, **options: Any) -> Iterator[Visit]:
    context = browser.new_context(
        **{"locale": "en-GB", "viewport": {"width": 1280, "height": 860}, **options}
    )
    context.set_default_timeout(10_000)
    visit = Visit(context.new_page(), house.server)
    visit.page.goto(house.server.url + "/assist")
    expect(visit.page.locator("#title")).to_have_text(house.assistant.world.name)
    yield visit
    visit.check()
    context.close()


def has_class(node: Locator, name: str, there: bool = True) -> None:
    word = re.compile(rf"(^|\s){name}(\s|$)")
    if there:
        expect(node).to_have_class(word)
    else:
        expect(node).not_to_have_class(word)


def test_a_light_lights_up_after_a_sentence(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        light = visit.device("light.den_ceiling")
        has_class(light, "on", False)
        visit.ask("Turn on the dome light")
        has_class(light, "on")
        visit.ask("Set the dome light to 35 percent")
        expect(light.locator('[data-key="brightness"]')).to_have_text("35%")
        assert light.evaluate("(node) => node.style.getPropertyValue('--level')") == "35"
        expect(visit.page.locator(".tile.lit").first).to_contain_text("dome light")
        expect(visit.page.locator("#announcer")).to_contain_text("35%")


def test_what_changes_without_the_page_is_shown(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        sensor = visit.device("sensor.den_co2")
        expect(sensor).to_contain_text("820 ppm")
        house.devices.change("sensor.den_co2", state=1234)
        expect(sensor).to_contain_text("1234 ppm")
        has_class(sensor, "changed")
        shade = visit.device("cover.skylight_shade")
        house.devices.change("cover.skylight_shade", position=30)
        expect(shade).to_contain_text("30%")
        assert shade.evaluate("(node) => node.style.getPropertyValue('--open')") == "0.3"


def test_the_answer_says_why(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        visit.ask("Turn on the dome light")
        expect(visit.reply).to_have_text("Turned on the dome light.")
        expect(visit.last.locator(".changes")).to_have_text("dome light · state: off → on")
        why = visit.last.locator(".why")
        expect(why.locator("summary")).to_contain_text("understood by templates")
        expect(why.locator("summary")).to_contain_text("ms")
        why.locator("summary").click()
        expect(why.locator(".verdicts")).to_have_text("turn on the dome light: allowed · done")
        visit.ask("Set the split unit to 44 degrees")
        visit.last.locator("summary").click()
        expect(visit.last.locator(".verdicts .stopped")).to_contain_text(
            "out of range (16 to 30 °C)"
        )


def test_undo(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        visit.ask("Turn on the dome light")
        light = visit.device("light.den_ceiling")
        has_class(light, "on")
        visit.press("Undo")
        has_class(light, "on", False)
        expect(visit.reply).to_contain_text("Undone")
        expect(visit.page.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_risky_order_waits_for_its_button(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        visit.ask("Unlock the entry lock")
        lock = visit.device("lock.landing")
        expect(visit.last.get_by_role("button", name="Yes", exact=True)).to_be_visible()
        visit.press("No")
        expect(visit.page.get_by_role("button", name="Yes", exact=True)).to_have_count(0)
        assert house.devices.state().get("lock.landing") == "locked"
        visit.ask("Unlock the entry lock")
        visit.press("Yes")
        has_class(lock, "on")
        expect(lock).to_contain_text("unlocked")
        expect(visit.reply).to_contain_text("Unlocked")


def test_a_yes_does_not_count_for_what_was_asked_elsewhere(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        visit.expected_errors = ("400",)
        visit.ask("Unlock the entry lock")
        expect(visit.last.get_by_role("button", name="Yes", exact=True)).to_be_visible()
        house.say("Unlock the entry lock", speaker="den")
        visit.press("Yes")
        expect(visit.page.locator(".note.bad")).to_contain_text("something else was said")
        assert house.devices.state().get("lock.landing") == "locked"


def test_which_of_several_is_chosen_by_a_button(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        visit.page.get_by_label("Where you are").select_option("")
        visit.ask("turn on the reading lamp")
        visit.press("sleeping nook reading lamp")
        has_class(visit.device("light.nook_reading"), "on")


def test_the_other_language(browser: Browser, house: House) -> None:
    with visiting(browser, house, locale="zh-CN") as visit:
        expect(visit.box).to_have_attribute("placeholder", "想做什么，直接说…")
        expect(visit.page.get_by_role("heading", name="起居间")).to_be_visible()
        visit.ask("打开圆顶灯")
        expect(visit.reply).to_have_text("已打开圆顶灯。")
        expect(visit.last.locator("summary")).to_contain_text("由模板理解")
        visit.ask("解锁入户锁")
        visit.press("是")
        expect(visit.device("lock.landing")).to_contain_text("没有锁")
        visit.page.get_by_role("button", name="Switch to English").click()
        expect(visit.page.get_by_role("heading", name="den", exact=True)).to_be_visible()
        expect(visit.device("lock.landing")).to_contain_text("unlocked")
        expect(visit.last.locator("summary")).to_contain_text("understood by a rule")
        expect(visit.reply).to_have_text("已解锁入户锁。")  # as it was said
        visit.page.reload()
        expect(visit.box).to_have_attribute("placeholder", "Say what shall happen…")


def test_what_was_taught_can_be_erased(browser: Browser, house: House) -> None:
    house.say("以后把圆顶灯叫大饼")
    house.say("以后我说我出门啦就关掉看书灯")
    with visiting(browser, house) as visit:
        visit.page.get_by_role("button", name="What was taught").click()
        dialog = visit.page.get_by_role("dialog", name="What was taught")
        expect(dialog.get_by_role("listitem")).to_have_count(2)
        expect(dialog).to_contain_text("“大饼” is dome light")
        dialog.get_by_role("button", name="Forget: “大饼” is dome light").click()
        expect(dialog.get_by_role("listitem")).to_have_count(1)
        dialog.get_by_role("button", name="Forget everything").click()
        assert len(house.assistant.memory.list()) == 1
        dialog.get_by_role("button", name="Really forget everything?").click()
        expect(dialog).to_contain_text("Nothing was taught yet.")
        assert house.assistant.memory.list() == ()


def test_what_is_planned_is_shown_cancelled_and_told_when_it_fires(
    browser: Browser, house: House
) -> None:
    with visiting(browser, house) as visit:
        visit.ask("十分钟后打开圆顶灯")
        visit.ask("两小时后打开摩卡壶")
        expect(visit.page.locator(".reply")).to_have_count(2)
        visit.page.get_by_role("button", name="What is planned").click()
        dialog = visit.page.get_by_role("dialog", name="What is planned")
        expect(dialog.get_by_role("listitem")).to_have_count(2)
        dialog.get_by_role("button", name="Cancel: turn on the moka pot").click()
        expect(dialog.get_by_role("listitem")).to_have_count(1)
        visit.page.keyboard.press("Escape")
        house.assistant.tick(datetime.datetime.now() + datetime.timedelta(minutes=10, seconds=2))
        has_class(visit.device("light.den_ceiling"), "on")
        expect(visit.last).to_contain_text("Planned before: 十分钟后打开圆顶灯")


def test_a_timer_rings_and_is_gone_from_its_list(tmp_path: Path, browser: Browser) -> None:
    with assisting(tmp_path, "amei_phone") as house, visiting(browser, house) as visit:
        visit.ask("Set a timer for five minutes")
        expect(visit.last).to_contain_text("start a timer of 5 minutes")
        house.assistant.tick(datetime.datetime.now() + datetime.timedelta(minutes=5, seconds=2))
        expect(visit.last).to_contain_text("It is time")
        expect(visit.last).to_contain_text("Time is up: 5 minutes.")


@pytest.mark.parametrize(
    ("world", "card", "device"),
    [
        ("amei_phone", "Phone", "dialer.phone"),
        ("city_car", "Car", "seat.driver"),
        ("scout", "Robot", "robot.scout"),
        ("lakeside_house", "Lists and times", "light.max_strip"),
    ],
)
def test_cards(tmp_path: Path, browser: Browser, world: str, card: str, device: str) -> None:
    with assisting(tmp_path, world) as house, visiting(browser, house) as visit:
        expect(visit.page.get_by_role("region", name=card, exact=True)).to_be_visible()
        expect(visit.device(device)).to_have_count(1)
        assert visit.page.locator(".device").count() == len(house.devices.state().entities)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_and_can_be_read(browser: Browser, house: House, scheme: str) -> None:
    with visiting(browser, house, color_scheme=scheme, reduced_motion="reduce") as visit:
        visit.ask("Turn on the dome light")
        expect(visit.reply).to_be_visible()
        visit.ask("Unlock the entry lock")
        expect(visit.last.get_by_role("button", name="Yes", exact=True)).to_be_visible()
        visit.last.locator("summary").click()
        for check in (unnamed, faint_text, broken_markup):
            assert check(visit.page) == []


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_phone_shows_all_without_scrolling_sideways(
    browser: Browser, house: House, locale: str
) -> None:
    with visiting(browser, house, locale=locale, reduced_motion="reduce", **PHONE) as visit:
        visit.ask("打开圆顶灯")
        expect(visit.reply).to_be_visible()
        assert not visit.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        for part in ("#board", "#scroller"):
            assert not visit.page.locator(part).evaluate(
                "(node) => node.scrollWidth > node.clientWidth"
            )
        expect(visit.box).to_be_in_viewport()
        expect(visit.device("light.den_ceiling")).to_be_in_viewport()
        assert broken_markup(visit.page) == []


def test_both_languages_have_every_word(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        shown = {}
        for language in ("en", "zh"):
            shown[language] = visit.page.evaluate(
                """async (language) => {
                  const source = await (await fetch("/page/assist_words.js")).text();
                  const { say, useLanguage } = await import("/page/words.js");
                  useLanguage(language);
                  const keys = [...source.matchAll(/^  (\\w+): \\[/gm)];
                  return Object.fromEntries(keys.map(([, key]) => [key, say(key)]));
                }""",
                language,
            )
        assert len(shown["en"]) > 60
        same = {key for key, text in shown["en"].items() if shown["zh"][key] == text}
        assert same == set()


def test_the_chat_page_leads_here_and_back(browser: Browser, house: House) -> None:
    with visiting(browser, house) as visit:
        visit.page.get_by_role("link", name="Chat with the model").click()
        expect(visit.page.locator("#model")).to_have_text("fake")
        visit.page.get_by_role("link", name="Assistant").click()
        expect(visit.page.locator("#title")).to_have_text("attic_flat")
