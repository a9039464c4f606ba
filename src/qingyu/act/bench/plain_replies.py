"""The plainest replies there can be, so that the fast path can be measured alone.

of_verdicts(world, verdicts, "zh")       # "已完成：书桌灯"
facts(world, state, ("sensor.co2",), "state", "en")

The assistant has replies of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qingyu.act.bench.cases import Language
from qingyu.act.calls import Verdict
from qingyu.act.state import State
from qingyu.act.values import thawed
from qingyu.act.world import World

_YES = re.compile(
    r"(?:是|是的|对|好|好的|行|可以|确认|确定|嗯|没错|当然|要"
    r"|yes|yeah|yep|sure|ok|okay|confirm|do it|go ahead)"
    r"[\s,，。.!！]*",
    re.IGNORECASE,
)
_NO = re.compile(
    r"(?:不|不是|不要|不用|不用了|不行|别|算了|取消|no|nope|cancel|never mind|don't)[\s,，。.!！]*",
    re.IGNORECASE,
)
_WORDS: dict[str, tuple[str, str]] = {
    "on": ("on", "开着"),
    "off": ("off", "关着"),
    "open": ("open", "开着"),
    "closed": ("closed", "关着"),
    "locked": ("locked", "锁着，已上锁"),
    "unlocked": ("unlocked", "没锁"),
    "playing": ("playing", "播放中"),
    "paused": ("paused", "已暂停"),
    "idle": ("idle", "空闲"),
    "docked": ("docked", "在充电座"),
    "cleaning": ("cleaning", "清扫中"),
    "charging": ("charging", "充电中"),
    "stopped": ("stopped", "已停止"),
}


def is_yes(text: str) -> bool:
    return _YES.fullmatch(text.strip()) is not None


def is_no(text: str) -> bool:
    return _NO.fullmatch(text.strip()) is not None


def not_understood(language: Language) -> str:
    return "我没听懂" if language == "zh" else "I did not understand that"


def of_verdicts(world: World, verdicts: Sequence[Verdict], language: Language) -> str:
    """What was done, and why the rest was not."""
    if not verdicts:
        return "好，不做" if language == "zh" else "OK, I leave it"
    return ("；" if language == "zh" else "; ").join(_one(world, one, language) for one in verdicts)


def asked_for_yes(world: World, verdicts: Sequence[Verdict], language: Language) -> str:
    """A question for a yes, and what cannot be done anyhow."""
    risky = [one for one in verdicts if one.outcome in ("risky", "fine")]
    names = _names(world, [one.call.entity for one in risky], language)
    asked = f"要{names}吗？请确认" if language == "zh" else f"{names}: are you sure? Say yes"
    rest = [one for one in verdicts if one.outcome not in ("risky", "fine")]
    return asked if not rest else f"{of_verdicts(world, rest, language)}. {asked}"


def facts(world: World, state: State, entities: Sequence[str], key: str, language: Language) -> str:
    """What is asked about some devices."""
    chinese = language == "zh"
    parts = []
    for id in entities:
        value = state.get(id, key)
        entity = world.entity(id)
        shown = thawed(value) if value is not None else ("没有" if chinese else "none")
        words = _WORDS.get(str(shown), ("", ""))[chinese] or str(shown)
        if isinstance(shown, list):
            words = ", ".join(map(str, shown)) or ("没有" if chinese else "none")
        unit = "" if entity is None else str(entity.attributes.get("unit", ""))
        parts.append(f"{_names(world, [id], language)}: {words}{unit}")
    return ("；" if chinese else "; ").join(parts)


def _one(world: World, verdict: Verdict, language: Language) -> str:
    chinese = language == "zh"
    name = _names(world, [verdict.call.entity], language)
    match verdict.outcome:
        case "fine":
            return f"好，{name}已设好" if chinese else f"OK, {name} is done"
        case "already":
            return f"{name}已经是这样了" if chinese else f"{name} is already so"
        case "out_of_range":
            low, high = (
                f"{one:g}" if one is not None else "" for one in (verdict.low, verdict.high)
            )
            span = f"{low}–{high}{verdict.unit}"
            return f"{name}只能在 {span} 之间" if chinese else f"{name} goes from {span} only"
        case "unsupported":
            return f"{name}不支持，做不到" if chinese else f"{name} can't do that, not supported"
        case "absent":
            return f"{name}：没有找到" if chinese else f"{name}: there is no such thing"
        case "not_now":
            return f"{name}：行驶中不能这样做" if chinese else f"{name}: not while driving, moving"
    return f"{name}：请确认" if chinese else f"{name}: are you sure?"


def _names(world: World, ids: Sequence[str], language: Language) -> str:
    found = [(world.entity(one), one) for one in ids]
    names = [one.name(language) if one is not None else id for one, id in found]
    return ("、" if language == "zh" else ", ").join(names)
