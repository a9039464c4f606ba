"""What people say to teach: another name, words for a routine, and to forget them again.

Teaching(world).read("以后把台灯叫小白")        # Taught(Teach("name", "小白", ("light.desk",)))
Teaching(world).read("以后我说睡觉了就关灯")    # Taught(Teach("routine", words=...), order="关灯")
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qingyu.act.spoken.spelling import clean, simplified
from qingyu.act.understood import Teach
from qingyu.act.world import World, plain

_ENDS = r"[。.!！~～]*"
_QUOTES = "“”\"'「」‘’ "
_LATER_ZH = r"(?:以后|从现在起|今后)?"
_LATER_EN = r"(?:from now on,? )?"
_NAME = (
    re.compile(
        _LATER_ZH + r"(?:就)?(?:把|管|给)(?P<what>.+?)"
        r"(?:叫做?|取名(?:叫)?|起名(?:叫)?|改名(?:叫|为)?)(?P<name>[^，,]+)"
    ),
    re.compile(r"(?:以后|从现在起|今后)(?:就)?叫(?P<what>它)(?P<name>[^，,]+)"),
    re.compile(
        _LATER_EN + r"call (?:the )?(?P<what>(?!it |this |that ).+?)"
        r" (?P<name>[\"“'].+[\"”']|\S+)",
        re.IGNORECASE,
    ),
    re.compile(r"from now on,? (?:you )?call (?P<what>it|this|that) (?P<name>.+)", re.IGNORECASE),
    re.compile(r"call (?P<what>it|this|that) (?P<name>.+) from now on", re.IGNORECASE),
    re.compile(
        _LATER_EN + r"(?:the )?(?P<what>.+?)(?:'s name is| is (?:also )?called| shall be called)"
        r" (?P<name>.+)",
        re.IGNORECASE,
    ),
)
_ROUTINE = (
    re.compile(
        _LATER_ZH + r"(?:只要|当|每次)?我(?:一)?说(?:到|了|：)?(?P<name>[^，,]{1,20}?)"
        r"(?:，|,)?(?:的时候)?(?:，|,)?(?:你)?就(?P<order>.+)"
    ),
    re.compile(
        _LATER_EN + r"when(?:ever)? i say (?P<name>[^,]{1,40}?),? (?:then |please |you )?"
        r"(?P<order>(?:turn|switch|open|close|set|lock|play|pause|start|stop|put|dim|activate"
        r"|mute).+)",
        re.IGNORECASE,
    ),
)
_FORGET = re.compile(
    r"(?:忘掉|忘了|忘记|别再叫|不要再叫|forget(?: the name| about)?)\s*(?P<name>.{1,40})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Taught:
    """order: what a routine shall do, as it was said, "" where there is none."""

    teach: Teach
    order: str = ""


class Teaching:
    """taught: what there is to forget."""

    def __init__(self, world: World, taught: Iterable[str] = ()) -> None:
        self._world = world
        self._taught = frozenset(map(plain, taught))

    def read(self, text: str) -> Taught | None:
        """None for what teaches nothing; no `about` where "it" was to get a name."""
        said = re.sub(_ENDS + "$", "", simplified(text).strip())
        for pattern in _ROUTINE:
            found = pattern.fullmatch(said)
            if found is not None:
                name = found["name"].strip(_QUOTES)
                return Taught(Teach("routine", name), found["order"].strip())
        for pattern in _NAME:
            found = pattern.fullmatch(said)
            if found is None:
                continue
            ids = self._ids(found["what"])
            name = found["name"].strip(_QUOTES)
            if ids is not None and name:
                return Taught(Teach("name", name, ids))
        found = _FORGET.fullmatch(said)
        if found is not None and plain(found["name"].strip(_QUOTES)) in self._taught:
            return Taught(Teach("forget", found["name"].strip(_QUOTES)))
        return None

    def _ids(self, what: str) -> tuple[str, ...] | None:
        """Of a device or area by its name, () for "it", None where there is none such."""
        name = clean(what).strip(_QUOTES)
        if name.casefold() in ("它", "it", "this", "这个", "that"):
            return ()
        named = self._world.named(name) or self._world.named(what.strip(_QUOTES))
        found = tuple(one.id for one in named)
        return found or tuple(one.id for one in self._world.areas_named(name)) or None
