"""Language, quality, personal data, spam, overlap with questions, manuals: each by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.errors import DataError
from qingyu.make.data import personal, promotion, spam
from qingyu.make.data.contamination import Questions, ngrams
from qingyu.make.data.language import is_traditional, language
from qingyu.make.data.measures import measure, units
from qingyu.make.data.personal import mask
from qingyu.make.data.quality import broken, repeated_phrases
from qingyu.make.data.recipe import Quality
from qingyu.make.data.roff import plain
from qingyu.make.data.steps import tidy

CHINESE = (
    "村子在山的背面，太阳要到上午十点才照得进来。冬天的时候，大家就搬着凳子追太阳，从东墙根追到"
    "西墙根，一天也就过去了。老人说，从前这里有一条河，后来河改了道，只留下一座没有水的桥。"
)
ENGLISH = (
    "The village lies behind the hill, and the sun does not reach it before ten. In winter people"
    " carry their chairs from one wall to the next, and so the day goes by. There used to be a"
    " river here, the old men say, but it moved away and left them with a bridge over nothing."
)
KEYWORDS = (
    "青州搬家 青州搬家公司 青州长途搬家 青州居民搬家 青州搬家价格 青州搬家电话 青州搬家哪家好"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CHINESE, "zh"), (ENGLISH, "en"), (CHINESE + ENGLISH[:60], "zh"),
        ("今日は天気がいいので、公園へ散歩に行きました。", "other"),
        ("오늘은 날씨가 좋아서 공원에 갔습니다.", "other"),
        ("Der Zug fuhr um sieben Uhr ab, und niemand hatte ihn gesehen.", "other"),
        ("Сегодня хорошая погода.", "other"), ("12345 !!", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_language(text: str, expected: str) -> None:
    assert language(text) == expected


def test_traditional() -> None:
    assert is_traditional("學校在半山腰，一共只有十九個學生")
    assert not is_traditional("学校在半山腰，一共只有十九个学生")


def test_measures() -> None:
    assert units("你好 world") == pytest.approx(3.6)
    assert measure(CHINESE).share > 0.15
    assert measure(ENGLISH).share > 0.15
    assert measure(KEYWORDS).share < 0.05
    assert measure("他走了。").ends
    assert not measure("").units


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CHINESE, None), (ENGLISH, None), ("", "empty"), ("太短了。", "too_short"),
        (KEYWORDS * 2, "few_function_words"),
        (CHINESE + "\ufffd" * 20, "broken_characters"),
        ("| " * 200 + CHINESE, "too_many_symbols"),
        ("\n".join([CHINESE[:40]] * 8), "repeated_lines"),
        (CHINESE * 5, "repeated_phrases"),
        ("在的是了和" * 20, "repeated_phrases"),
        ("1234567890 " * 20 + CHINESE, "too_many_digits"),
        ("\n".join(f"- 第{n}个的东西" for n in "一二三四五六七八九十甲乙丙丁戊"), "only_lists"),
    ],
)  # fmt: skip
def test_quality(text: str, reason: str | None) -> None:
    assert broken(text, Quality()) == reason


def test_bounds_can_be_moved() -> None:
    assert broken("太短了。", Quality(min_units=2)) is None
    assert broken(CHINESE, Quality(max_units=50)) == "too_long"
    assert repeated_phrases(CHINESE) == 0.0


def test_masking() -> None:
    text = (
        "我叫王五，电话13812345678，或者 +86 139-1234-5678、010-12345678，"
        "邮箱 wang.wu@example.com，"
        "身份证11010519491231002X，卡号6222 0212 3456 7890 128，"
        "地址 8.8.8.8 和 2001:4860:4860::8888。"
    )
    masked, counts = mask(text)
    for gone in ("138123", "1234-5678", "12345678", "wang", "110105", "6222", "8.8.8", "4860"):
        assert gone not in masked, gone
    assert counts == {"PHONE": 3, "EMAIL": 1, "ID": 1, "CARD": 1, "IP": 2}
    assert masked.startswith("我叫王五，电话<PHONE>，")


@pytest.mark.parametrize(
    "text",
    [
        "圆周率是3.14159265358979，全长13812米", "版本 10.2.3.4", "内网地址192.168.1.1和127.0.0.1",
        "订单号110105194912310021", "1234567890123456", "2023-08-10 12:30:45", "at 5 o'clock",
        "11.1.3.2. 虚拟别名域", "见 11.1.3.2.", "16279260 5910248 4557604 9128964", "2147483647",
        "1: 00000000:13412345678:0000", "0002f13912345678", "-2147483648 到 2147483647",
        "ISBN 978-7-02-000220-7", "from 1998-2004", "a@b", "std::vector<int>", "19491001",
    ],
)  # fmt: skip
def test_what_is_not_personal_stays(text: str) -> None:
    assert mask(text) == (text, {})


def test_check_digits() -> None:
    assert personal.is_identity("11010519491231002X")
    assert not personal.is_identity("110105194912310021")
    assert personal.is_card("4111 1111 1111 1111") is False  # too few different digits
    assert personal.is_card("6222 0212 3456 7890 128")


@given(st.text(max_size=200))
def test_masking_never_raises_and_settles(text: str) -> None:
    once, _ = mask(text)
    assert mask(once)[0] == once


def test_spam() -> None:
    assert spam.is_keyword_list(KEYWORDS)
    assert spam.is_keyword_list(KEYWORDS.replace(" ", "|"))
    assert spam.is_keyword_list(
        "plumber Millbrook, emergency plumber Millbrook, cheap plumber Millbrook, plumber near me,"
        " best plumber Millbrook, 24 hour plumber Millbrook"
    )
    for text in (CHINESE, ENGLISH, "空山新雨后，天气晚来秋。明月松间照，清泉石上流。"):
        assert not spam.is_keyword_list(text)
        assert not spam.is_stuffed(text)
        assert not promotion.weight(text, units(text))
    lines = [
        f"顺达公司为{place}提供专业的搬家服务，价格实惠，随叫随到。"
        for place in ("青州", "寿光", "昌乐")
    ]
    assert spam.templated([*lines, CHINESE]) == {0, 1, 2}


def test_promotion() -> None:
    selling = "我校常年招收学员，随到随学，免费试学三天，欢迎广大学员前来咨询，电话000-0000000。"
    assert promotion.weight(selling, units(selling)) >= 5
    report = "市民可以拨打热线咨询，工作人员会在三天之内答复。"
    assert not promotion.weight(report, units(report))


QUESTION = "下列关于光合作用与呼吸作用之间关系的叙述中正确的一项是"


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    folder = tmp_path / "ceval" / "val"
    folder.mkdir(parents=True)
    rows = [
        "id,question,A,B,C,D,answer", f"0,{QUESTION},甲,乙,丙,丁,A",
        "1,Which of the following statements about the tides of the northern sea is known to be"
        " true today?,a,b,c,d,B",
    ]  # fmt: skip
    (folder / "biology_val.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    return tmp_path


def test_contamination(questions: Path) -> None:
    found = Questions.find(questions)
    assert found is not None
    assert found.count == 2
    origin = "ceval/val/biology_val.csv"
    assert found.hit(CHINESE + QUESTION + "？" + CHINESE) == origin
    # marks, spaces and case make no difference; twelve units in a row are no hit
    spaced = " ".join(QUESTION).replace("叙", "，叙")
    assert found.hit(spaced) == origin
    assert found.hit("FOLLOWING statements about the tides -- of the northern sea is known to be")
    assert found.hit(QUESTION[:12] + "别的" + QUESTION[14:26]) is None
    assert found.hit(CHINESE) is None
    assert found.hit("") is None
    assert len(ngrams("一二三四五六七八九十甲乙丙")) == 1
    assert len(ngrams("一二三四五六七八九十甲乙")) == 0


def test_questions_that_cannot_be_read(questions: Path) -> None:
    assert Questions.find(questions / "none") is None
    (questions / "ceval" / "val" / "law_val.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"law_val\.csv cannot be read"):
        Questions.find(questions)


def test_manuals() -> None:
    source = (
        '.\\" a comment\n.TH LS 1\n.SH 名称\nls \\- 列出目录内容\n.SH DESCRIPTION\n.B ls\n'
        "lists\\fB files\\fR.\n.PP\n第一行\n第二行\n.TP\n\\fB\\-a\\fR, \\fB\\-\\-all\\fR\n"
        "hidden too\n"
        '.nf\nls \\-l\n  \\(bu x\n.fi\n.BR "see " also (1)\n.de XX\nmacro\n..\n'
    )
    assert plain(source).split("\n\n") == [
        "名称", "ls - 列出目录内容", "DESCRIPTION", "ls lists files.", "第一行第二行",
        "-a, --all hidden too", "ls -l\n  • x", "see also(1)",
    ]  # fmt: skip


def test_tidying() -> None:
    assert tidy("a\u200bb  c \r\n\n\n\nd\x07\n    x  =  1\n\n") == "ab c\n\nd\n    x  =  1"
