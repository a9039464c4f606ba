"""Bytes to text, whatever they are said to be."""

from __future__ import annotations

import pytest

from qingyu.make.data.decoding import decode, repair

SIMPLIFIED = "今天天气很好，我们去公园散步，路上看见了许多花。" * 3
TRADITIONAL = "今天天氣很好，我們去公園散步，路上看見了許多花。" * 3
JAPANESE = "今日は天気がいいので、公園へ散歩に行きました。途中でたくさんの花を見ました。"
KOREAN = "오늘은 날씨가 좋아서 공원에 산책하러 갔습니다."
FRENCH = "L'été dernier, nous étions à la plage, où l'eau était froide — mais très belle. "
RUSSIAN = "Сегодня хорошая погода, мы пошли в парк и увидели много цветов."


@pytest.mark.parametrize("declared", [None, "utf-8", "gb2312", "iso-8859-1", "no such thing"])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "gbk"), (SIMPLIFIED, "gb18030"), (TRADITIONAL, "big5"), (JAPANESE, "cp932"),
        (KOREAN, "cp949"), (FRENCH, "cp1252"), (RUSSIAN, "cp1251"), (SIMPLIFIED, "utf-8"),
        (SIMPLIFIED, "utf-8-sig"), (SIMPLIFIED, "utf-16"), (FRENCH, "utf-16-le"),
    ],
)  # fmt: skip
def test_whatever_is_declared(text: str, encoding: str, declared: str | None) -> None:
    assert decode(text.encode(encoding), declared).text == text


def test_a_page_says_its_encoding_itself() -> None:
    head = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=gb2312">'
    decoded = decode((head + "<p>短</p>").encode("gbk"))
    assert (decoded.encoding, decoded.declared) == ("gb18030", "gb2312")
    assert "短" in decoded.text


def test_a_character_cut_off_is_no_reason_to_doubt() -> None:
    assert decode(SIMPLIFIED.encode()[:-1]).encoding == "utf-8"


def test_any_bytes_give_text() -> None:
    for raw in (b"", b"\x00", b"\xff" * 9, bytes(range(256))):
        assert isinstance(decode(raw).text, str)


@pytest.mark.parametrize(
    "text", [SIMPLIFIED, TRADITIONAL, FRENCH, "plain", "naïve café — ‘ok’", ""]
)
def test_sound_text_is_left_alone(text: str) -> None:
    assert repair(text) == text


def test_mojibake_is_turned_back() -> None:
    assert repair(SIMPLIFIED.encode().decode("latin-1")) == SIMPLIFIED
    assert repair(SIMPLIFIED.encode("gbk").decode("latin-1")) == SIMPLIFIED
    assert repair("It doesnâ€™t matter") == "It doesn’t matter"
    read_as_gbk = repair(SIMPLIFIED.encode().decode("gb18030", "replace"))
    assert read_as_gbk.startswith("今天天气很好，我们去公园散步")
    assert repair("a&nbsp;b &#20320;&#22909;") == "a\u00a0b 你好"
