"""Marks in a household of more than sixty devices, whose names are those that most have."""

from __future__ import annotations

import statistics
import time

import pytest

from qingyu.act.marks.marker import Marker
from qingyu.act.state import initial
from tests.act.big_house import big_house
from tests.act.test_marks import NOW

MARKER = Marker(big_house())
STATE = initial(big_house())
SAID = [
    # A room's device, with and without the room.
    ("打开客厅主灯", "打开<light>1"),
    ("客厅的主灯关了", "<area>1的<light>2关了"),
    ("turn the main light in the living room on", "turn the <light>1 in the <area>2 on"),
    ("the light strip in the study", "the <light>1 in the <area>2"),
    ("grandmas room ac to 24", "<climate>1 to <number>2"),
    ("书房空调和客厅空调都关了", "<climate>1和<climate>2都关了"),
    ("把主卧床头灯打开", "把<area>1<light>2打开"),
    # Kinds of devices stay words.
    ("客厅灯关掉", "<area>1灯关掉"),
    ("打开书房的风扇", "打开<area>1的风扇"),
    ("楼上的窗帘都关上", "<floor>1的窗帘都关上"),
    ("打开台灯", "打开台灯"),
    ("电影模式", "电影模式"),
    # Rooms: what several may be called, and whose they are.
    ("卧室的空调调到二十六度", "<area>1的空调调到<degree>2"),
    ("turn off the bedroom lights", "turn off the <area>1 lights"),
    ("大卧室的灯", "大卧室的灯"),
    ("the guest bedroom lights", "the guest bedroom lights"),
    ("奶奶屋里的灯", "<area>1的灯"),
    ("奶奶今天高兴吗", "奶奶<day>1高兴吗"),
    ("kid's room lights", "<area>1 lights"),
    ("go to study and stay", "go to <area>1 and stay"),
    ("I need to study for the exam", "i need to study for the exam"),
    # People.
    ("call Wei", "call <contact>1"),
    ("打给姓张的", "打给<contact>1"),
    # By sound.
    ("打开主握的空条", "打开<area>1的空调"),
    ("次我的灯关了", "<area>1的灯关了"),
    ("把克厅的空调打开", "把<area>1的空调打开"),
    ("书方的循环散开一下", "<area>1的<fan>2开一下"),
    ("打开落地登", "打开<light>1"),
    ("长井鹿亮一下", "<light>1亮一下"),
    ("让都都去扫客厅", "让<vacuum>1去扫<area>2"),
    ("关影模式", "<scene>1"),
    ("给小辉打电话", "给<contact>1打电话"),
    ("turn off the giraf", "turn off the <light>1"),
    ("turn off the flour lamp", "turn off the <light>1"),
    ("movie mote please", "<scene>1 please"),
    # Conversation.
    ("我想看电影", "我想看电影"),
    ("小辉打电话来了", "小辉打电话来了"),
    ("都都都都都", "都都都都都"),
    ("我们的主要目标", "我们的主要目标"),
    ("tell me about giraffe necks", "tell me about <light>1 necks"),
    ("what a lovely day", "what a lovely day"),
]


@pytest.mark.parametrize(("text", "marked"), SAID)
def test_mentions(text: str, marked: str) -> None:
    assert MARKER.mark(text, STATE, NOW).text == marked


def test_what_rooms_share() -> None:
    def value(text: str) -> object:
        return MARKER.mark(text, STATE, NOW).marks[0].value

    assert value("卧室的灯") == ("master", "second")
    assert len(value("关掉主灯")) == 9  # type: ignore[arg-type]
    assert value("打开主卧主灯") == ("light.master_0",)


def test_a_sentence_takes_less_than_five_milliseconds() -> None:
    assert len(big_house().entities) > 60
    took = []
    for text, _ in SAID:
        begin = time.perf_counter()
        MARKER.mark(text, STATE, NOW)
        took.append(time.perf_counter() - begin)
    assert statistics.median(took) < 0.005
