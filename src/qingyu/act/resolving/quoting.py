"""The words of a message, or of an item for a list, whole: models begin or end a quote too late.

    whole('send <contact>1 "the lobby"', "drop <contact>1 a line: meet me in the lobby")
    # 'send <contact>1 "meet me in the lobby"'
    whole('add <todo>1 "essay"', "<todo>1 加一条 essay draft")     # 'add <todo>1 "essay draft"'

A message is all that comes after the person and the words that lead to it; an item reaches from
the words for putting it there to those for where. Only of a form with one quote, which the longer
one has in it.
"""

from __future__ import annotations

import re

from qingyu.act.forms.reader import Form, parse_form
from qingyu.act.marks.mark import Marked
from qingyu.act.spoken.spelling import has_hanzi
from qingyu.errors import InvalidRequestError

_SEND = re.compile(r'send <contact>(?P<number>\d) "(?P<quote>[^"]+)"')
_ADD = re.compile(r'add (?:it|todo|shopping|<todo>\d) "(?P<quote>[^"]+)"')
_LEAD_ZH = re.compile(
    r"(?:打)?(?:发送|发|捎|留)?(?:一?[条个封]|句)?(?:短信|消息|信息|微信|留言|话|言)?"
    r"(?:说一声|说一下|说是|说|讲|告诉[他她]们?|告诉|内容是|问一下|问问|问)?[,:;。 ]*"
)
_LEAD_EN = re.compile(
    r"(?: (?:a|an|this|the|quick|short))* ?(?:text|message|line|note|sms|word)?"
    r"(?: ?(?:saying|that|to say|and say|and tell (?:him|her|them)|with the words|reading))?[,:;]* "
)
_TAIL = re.compile(r"(?:[ ,.;。]*(?:please|thanks|thank you|吧|谢谢|好吗))?[ .。]*$")
_PUT_ZH = re.compile(
    r"(?:加上|加入|加进|添加|添上|加个|加点|加些|加|添|记上|记下|记|写上|写|放|来|要买|买|补|补点|再要|要)"
    r"(?:一下|一[条个些点袋盒瓶包份斤]|两[条个袋盒瓶包份斤]|[条个些点袋盒瓶包份])?"
)
_INTO_ZH = re.compile(
    r"(?:加到|加进|加入|放到|放进|添加到|添到|记到|写到|写进|到|进|吧|啊|呗|[,。;<]|$)"
)
_PUT_EN = re.compile(
    r"\b(?:add|put|stick|pop|chuck|jot down|write down|write|note down|note|include|get|need)\b"
    r"(?: (?:some|a|an|the|more|another|down))? "
)
_INTO_EN = re.compile(r" (?:to|on|onto|in|into)\b(?= (?:the |my |our |a )?[<\w])|[,.;]|$")


def whole(form: Form, marked: Marked) -> Form:
    """The form with its quote widened, or the form."""
    text = str(form)
    sent, added = _SEND.fullmatch(text), _ADD.fullmatch(text)
    found = sent or added
    if found is None:
        return form
    quote = found["quote"]
    words = (
        _message(marked.text, sent["number"], quote) if sent else _item(marked.text, quote)
    )  # fmt: skip
    if not words or words == quote or quote not in words or '"' in words:
        return form
    try:
        return parse_form(text.replace(f'"{quote}"', f'"{words}"'))
    except InvalidRequestError:
        return form


def _message(text: str, number: str, quote: str) -> str:
    """All that comes after the person."""
    mark = re.search(rf"<contact>{number}", text)
    if mark is None or text.find(quote, mark.end()) < 0:
        return ""
    rest = text[mark.end() :]
    lead = (_LEAD_ZH if has_hanzi(text) else _LEAD_EN).match(rest)
    rest = rest[lead.end() :] if lead is not None else rest
    return _TAIL.sub("", rest).strip(" ,:;")


def _item(text: str, quote: str) -> str:
    """From the nearest word for putting it there to the next for where."""
    start = text.find(quote)
    if start < 0 or text.count(quote) != 1:
        return ""
    end = start + len(quote)
    ascii_only = quote.isascii() and not re.search(
        r"[\u3400-\u9fff]", text[max(0, start - 2) : start]
    )
    put, into = (_PUT_EN, _INTO_EN) if ascii_only and _PUT_EN.search(text) else (_PUT_ZH, _INTO_ZH)
    before = [one for one in put.finditer(text) if one.end() <= start]
    if not before:
        return ""
    begins = before[-1].end()
    stop = into.search(text, end)
    words = text[begins : stop.start() if stop else len(text)]
    return _TAIL.sub("", words).strip(" ,:;")
