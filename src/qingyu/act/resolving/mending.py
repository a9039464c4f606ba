"""A form that leaves out the one device or place a sentence names gets it.

    mended(parse_form("on light all"), marked, world)     # "on light at <area>1"
    mended(parse_form("off light all"), marked, world)    # "off light all but <light>1"

A model now and then says "all lights" where the sentence has a mark for the bedroom. Of one order
for a class, and one mark that the order does not use, code knows better; anything less plain stays
as it is.
"""

from __future__ import annotations

import re

from qingyu.act.forms.reader import Form, parse_form
from qingyu.act.marks.mark import Mark, Marked
from qingyu.act.resolving.classes import members
from qingyu.act.world import World, plain
from qingyu.errors import InvalidRequestError

_CLASS = (
    "light|switch|appliance|curtain|blind|window|cover|door|lock|ac|heater|climate|fan|media|valve"
    "|humidifier|water_heater|headlights|drive_mode|everything"
)
_ORDER = re.compile(
    rf"(?P<lead>(?:when <time>\d : )?)(?P<verb>on|off|open|close|start|stop|pause|play|lock|unlock"
    rf"|set|more|less|ask) (?P<what>{_CLASS})(?P<all> all| elsewhere)?"
    r"(?P<rest>(?: (?!at |but ).*)?)"
)
_REST = re.compile(
    r"\b(?:exception|rest|others?|only|just|alone|else)\b|其余|其他|其它|剩|只|仅|就|单|唯|独|保"
)
_ALL_BUT = re.compile(
    rf"(?P<head>(?:when <time>\d : )?(?:on|off|open|close|start|stop|lock|unlock)) (?:{_CLASS})"
    r"(?: all)? but (?P<mark><(?!area|floor)[a-z_.0-9]+>\d)"
)
_ALONG = re.compile(r">\d ?(?:[跟和与及、,]|还有|and\b|or\b)|(?:[跟和与及、]|还有|\band )<")
"""A device that is one of several, and no exception."""
_RAISED = re.compile(r"^[^开降下落]*(?:升|摇[上起])[^开降下落]*$")
_LOWERED = re.compile(r"^(?!.*\b(?:up|close|shut)\b).*\b(?:wind|roll|crank|let|drop)\b.*\bdown\b")
_WINDOW = r"\b{} ((?:<cover\.window>\d ?)+)"
"""A window that is raised is shut, one that is wound down is open."""
_FREEZES = re.compile(r"\b(?:cold|chilly|freez\w+|perishing|nippy|frozen|brr+|shiver\w*|arctic)\b")
_BOILS = re.compile(r"\b(?:hot|boiling|roasting|baking|sweat\w*|swelter\w+|melting|stifling)\b")
_DENIED = re.compile(r"\b(?:not|never|enough|no longer|less)\b|n't\b")
"""How somebody feels, plainly and only so: the wish for the opposite is none."""
_POINTED = re.compile(r"<[a-z_.0-9]+>(\d)")
_ABSENT = re.compile(r'absent "(?P<words>[^"]{2,})"')
_CALL = re.compile(r"电话|打给|拨|呼叫|\b(?:call|ring|phone|dial|buzz)\b", re.IGNORECASE)
_EXCEPT = re.compile(
    r"\b(?:but|except|excepting|bar|barring|apart|other than|save|excluding|leave|leaving|keep|not"
    r"|skip|without|spare|ignore|minus)\b|n't\b|除|别|不|甭|莫|留|外|勿|免",
    re.IGNORECASE,
)


def mended(form: Form, marked: Marked, world: World) -> Form:
    """The form, or one that uses the only mark of a device or place which it leaves out."""
    text = str(form)
    for said, one, other in ((_RAISED, "open", "close"), (_LOWERED, "close", "open")):
        if said.search(marked.text):
            text = re.sub(_WINDOW.format(one), rf"{other} \1", text)
            form = _read(text, form)
    for felt, not_felt, wrong, right in (
        (_FREEZES, _BOILS, "wish hot", "wish cold"),
        (_BOILS, _FREEZES, "wish cold", "wish hot"),
    ):
        unclear = not_felt.search(marked.text) or _DENIED.search(marked.text)
        if felt.search(marked.text) and not unclear:
            text = text.replace(wrong, right)
            form = _read(text, form)
    spared = _ALL_BUT.fullmatch(text)
    if (
        spared is not None
        and _ALONG.search(marked.text)
        and not _EXCEPT.search(marked.text)
        and not _REST.search(marked.text)
    ):
        return _read(f"{spared['head']} {spared['mark']}", form)
    called = _ABSENT.fullmatch(text)
    if called is not None:
        somebody = _is_somebody(called["words"], world) and _CALL.search(marked.said)
        return _read(f'call "{called["words"]}"', form) if somebody else form
    found = _ORDER.fullmatch(text)
    if found is None or '"' in text:
        return form
    used = {int(one) for one in _POINTED.findall(text)}
    left = [
        (number, mark)
        for number, mark in enumerate(marked.marks, 1)
        if number not in used and mark.ids
    ]
    if len(left) != 1:
        return form
    number, mark = left[0]
    pointer = f"<{mark.type}>{number}"
    places = mark.type in ("area", "floor")
    head, rest = f"{found['lead']}{found['verb']}", found["rest"]
    what = found["what"]
    if _EXCEPT.search(marked.text):
        if not found["all"] and not places:
            return form
        better = f"{head} {what} all but {pointer}{rest}"
    elif places:
        better = f"{head} {what} at {pointer}{rest}"
    elif not found["all"] and _is_one(mark, what, found["verb"], world):
        better = f"{head} {pointer}{rest}"
    else:
        return form
    return _read(better, form)


def _read(text: str, otherwise: Form) -> Form:
    try:
        return parse_form(text)
    except InvalidRequestError:
        return otherwise


def _is_somebody(words: str, world: World) -> bool:
    """Whether they are a part of the name of a contact: of two of them, one has to be asked for."""
    said = plain(words)
    return any(said in plain(name) for one in world.contacts for name in one.names)


def _is_one(mark: Mark, what: str, verb: str, world: World) -> bool:
    """Whether a device that was named may be what the class means."""
    if what in ("headlights", "drive_mode"):
        return mark.domain == "select"
    known = {one.id for one in members(world, what, verb)}
    return bool(set(mark.ids) & known)
