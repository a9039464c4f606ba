"""What a model that was not made for it is told, so that it can act in a household.

    system_prompt(world, "zh")          # who it is, the rules, everything that is there
    turn_prompt(world, "en", said="...", speaker="bedroom", state=state)
    call_schema(world)                  # JSON schema of its answer: {"calls": [...], "reply": ""}

The household stands in front and is the same for every conversation there, so that it is
computed once; what differs from its file comes with the turn. Devices, actions and options are
enumerations of the schema; numbers are free, since out of range is for the model to know.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qingyu.act.bench.cases import Language
from qingyu.act.state import State, changes, initial
from qingyu.act.terms import Action, Attribute
from qingyu.act.values import thawed
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.world import Entity, Value, World

VERSION = 1
"""Another number where the prompt or the schema becomes another: results are not comparable."""
MOST_CALLS = 40
_MOST_LETTERS = 200
_WHEN = (
    r"^(\+[0-9]{1,7}|[0-2][0-9]:[0-5][0-9]|[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]"
    r"|(sunrise|sunset)([+-][0-9]{1,5})?)$"
)
_DAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")

_RULES_EN = """\
You are the assistant of a household. Answer every message with one JSON object and nothing else:
{"calls": [{"entity": "light.x", "action": "set", "brightness": 40}], "reply": "Done."}
- calls: what to do now, in order, one for each device; [] where nothing is to be done.
- "when" in a call puts it off: "+600" (seconds from now), "22:00", "2026-11-27 07:00", "sunset", \
"sunset+1800".
- reply: one short sentence in English, with the facts of the list; names as people say them.
Rules:
- Do exactly what is asked, and nothing else. Conversation and questions: no calls, only a reply.
- What is not on the list does not exist. What a device does not list, it cannot do. A number must \
be in its range. In these cases no call: say what is missing, or what the range is. Of several \
things do those that can be done.
- An area means all devices of the kind in it; a floor, all its areas. A kind without an area \
("turn on the light"): where the person is; if that is nowhere and there are several, ask which.
- Two devices of one name and no way to tell: no call, ask which, naming them.
- Risky: unlocking; opening a garage, gate, door or boot; calling; sending; drive modes; \
moving the robot. First no call but a question; when the next message says yes, do it. \
Stopping the robot is never risky.
- While the car moves (speed above 0): doors and boot stay closed, no charging, no video.
- "A bit brighter, louder, ...": 20 %; temperature 1 °C (water heater 5); half is 50 %.
- Setting something turns it on. What is so already: no call, say "already".
- A wish ("I am cold") means the device of that room that helps."""
_RULES_ZH = """\
你是一个家庭的助手。每条消息都只用一个 JSON 对象回答，不要有别的内容：
{"calls": [{"entity": "light.x", "action": "set", "brightness": 40}], "reply": "好的。"}
- calls：现在要做的事，按顺序，每个设备一项；没有要做的就是 []。
- 调用里的 "when" 表示以后再做："+600"（多少秒后）、"22:00"、\
"2026-11-27 07:00"、"sunset"、"sunset+1800"。
- reply：一句简短的中文，写出清单里的事实，名称用人们的叫法。
规则：
- 只做要求的事，不多做。闲聊和提问：没有调用，只有回答。
- 清单里没有的就不存在；设备没有列出的，它就做不到；数值必须在范围之内。\
这些情况都不调用，说明缺什么或范围是多少。几件事里能做的照做。
- 说区域，指其中所有这类设备；说楼层，指它的所有区域。只说类别（“开灯”）：指人所在的区域；\
不知道在哪里又有好几个，就问是哪个。
- 两个设备同名又无法分辨：不调用，问是哪个，并说出各自的名称或位置。
- 有风险的：开锁；打开车库、院门、门、后备箱；打电话；发消息；驾驶模式；让机器人移动。\
先不调用，只问一句；下一条消息说“是”再做。让机器人停下从不需要问。
- 车在行驶（车速大于 0）：不开车门和后备箱，不充电，不放视频。
- “亮一点、大声点”之类：20%；温度 1 °C（热水器 5 °C）；一半是 50%。
- 设置某项就会打开设备。已经是这样的：不调用，说“已经”。
- 愿望（“我有点冷”）：用那个房间里能帮上忙的设备。"""


def system_prompt(world: World, language: Language) -> str:
    """The rules and the household as its file describes it."""
    chinese = language == "zh"
    sections = [
        (_RULES_ZH if chinese else _RULES_EN).splitlines(),
        ["动作：" if chinese else "Actions:", *_actions(world)],
    ]
    if world.areas or world.floors:
        sections.append(["区域：" if chinese else "Areas:", *_places(world)])
    if world.contacts:
        sections.append(
            [
                "联系人：" if chinese else "Contacts:",
                *(_joined(one.names) for one in world.contacts),
            ]
        )
    title = "设备（编号 | 名称 | 区域 | 状态，括号内为可取的值）：" if chinese else (
        "Devices (id | names | area | how they are, in brackets what they can be):"
    )  # fmt: skip
    state = initial(world)
    sections.append([title, *(_device(world, one, state.of(one.id)) for one in world.entities)])
    return "\n\n".join("\n".join(one) for one in sections)


def turn_prompt(world: World, language: Language, *, said: str, speaker: str, state: State) -> str:
    """What somebody says, where and when, and how things differ from the list now."""
    chinese = language == "zh"
    area = world.area(speaker)
    place = area.name(language) if area else ("未知" if chinese else "unknown")
    differs = "; ".join(
        f"{id}: " + ", ".join(f"{key} {_shown(value)}" for key, value in values.items())
        for id, values in changes(initial(world), state).items()
    )
    differs = differs or ("无" if chinese else "nothing")
    if chinese:
        return f"现在：{_now(world, chinese)}。人在：{place}。与清单不同：{differs}。\n人说：{said}"
    return (
        f"Now: {_now(world, chinese)}. The person is in: {place}. Different from the list:"
        f" {differs}.\nThe person says: {said}"
    )


def refused_prompt(language: Language, refused: Sequence[str]) -> str:
    """What could not be done, for a second try at the same turn."""
    listed = "; ".join(refused)
    if language == "zh":
        return (
            f"这些做不到：{listed}。其余的已经做了。"
            "请再回答一次：还要做的调用（没有就是 []），以及 reply。"
        )
    return (
        f"These cannot be done: {listed}. The others are done. Answer again: calls that are still"
        " to be done ([] if none), and the reply."
    )


def call_schema(world: World) -> dict[str, Any]:
    """The JSON schema of an answer in this household."""
    calls = [
        _call(world, some, name, action)
        for domain, some in _domains(world)
        for name, action in DOMAINS[domain].actions.items()
    ]
    return {
        "type": "object",
        "properties": {
            "calls": {
                "type": "array",
                "maxItems": MOST_CALLS if calls else 0,
                "items": {"anyOf": calls} if calls else {"type": "null"},
            },
            "reply": {"type": "string", "maxLength": _MOST_LETTERS},
        },
        "required": ["calls", "reply"],
        "additionalProperties": False,
    }


def _domains(world: World) -> Iterator[tuple[str, tuple[Entity, ...]]]:
    """Those of the world that can do anything, with their devices."""
    for domain, known in DOMAINS.items():
        some = world.select(domain=domain)
        if some and known.actions:
            yield domain, some


def _call(world: World, some: Sequence[Entity], name: str, action: Action) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "entity": {"enum": [one.id for one in some]},
        "action": {"const": name},
    }
    required = ["entity", "action"]
    for key, parameter in action.parameters.items():
        has = [one for one in some if not parameter.sets or one.supports(parameter.sets)]
        kind = _value_schema(world, has, parameter.value)
        if kind is None:
            continue
        properties[key] = kind
        if parameter.required:
            required.append(key)
    properties["when"] = {"type": "string", "pattern": _WHEN}
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _value_schema(
    world: World, some: Sequence[Entity], attribute: Attribute
) -> dict[str, Any] | None:
    """What an argument may be on any of some devices; None where on none of them."""
    match attribute.kind:
        case "percent" | "number":
            return {"type": "number"} if some else None
        case "bool":
            return {"type": "boolean"} if some else None
        case "option":
            options = {one: None for entity in some for one in world.options_of(entity, attribute)}
            return {"enum": list(options)} if options else None
        case "time":
            return {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}
        case "moment":
            pattern = "^[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]$"
            return {"type": "string", "pattern": pattern}
    return {"type": "string", "maxLength": _MOST_LETTERS}


def _actions(world: World) -> Iterator[str]:
    for domain, _ in _domains(world):
        parts = []
        for name, action in DOMAINS[domain].actions.items():
            parameters = [
                key + ("" if one.required else "?") for key, one in action.parameters.items()
            ]
            parts.append(f"{name}({', '.join(parameters)})" if parameters else name)
        yield f"{domain}: {', '.join(parts)}"


def _places(world: World) -> Iterator[str]:
    for floor in world.floors:
        inside = ", ".join(one.id for one in world.areas_on(floor.id))
        yield f"{_joined(floor.names)} = {inside}"
    for area in world.areas:
        yield f"{area.id}: {_joined(area.names)}"


def _device(world: World, entity: Entity, now: Mapping[str, Value]) -> str:
    parts = [f"{key} {_shown(value)}{_bounds(world, entity, key)}" for key, value in now.items()]
    parts += [
        f"{key} {_shown(value)}" for key, value in entity.attributes.items() if key not in now
    ]
    if entity.sets:
        parts.append("; ".join(f"{id} {dict(values)}" for id, values in entity.sets.items()))
    return " | ".join([entity.id, _joined(entity.names), entity.area or "-", "; ".join(parts)])


def _bounds(world: World, entity: Entity, key: str) -> str:
    """In brackets what a value can be set to, with what people call it."""
    attribute = entity.attribute(key)
    assert attribute is not None
    if attribute.access != "set":
        return attribute.unit
    if attribute.numeric:
        low, high = entity.range_of(key, attribute)
        ends = ["" if one is None else f"{one:g}" for one in (low, high)]
        return f" ({ends[0]}–{ends[1]}{attribute.unit})" if any(ends) else attribute.unit
    if attribute.kind != "option" or attribute.chosen_by in ("area", "contact"):
        return ""
    options = [
        one + (f" = {_joined(entity.option_names[one])}" if one in entity.option_names else "")
        for one in world.options_of(entity, attribute)
    ]
    return f" ({' | '.join(options)})"


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)


def _shown(value: Value) -> str:
    plain = thawed(value)
    return ("[]" if not plain else str(plain)) if isinstance(plain, list) else f"{plain}" or '""'


def _now(world: World, chinese: bool) -> str:
    now = world.now or datetime.datetime.now()
    day = _DAYS[now.weekday()] if chinese else now.strftime("%A")
    sun = ""
    if world.sun is not None:
        sunrise, sunset = world.sun.sunrise.strftime("%H:%M"), world.sun.sunset.strftime("%H:%M")
        sun = (
            f"，日出 {sunrise}，日落 {sunset}"
            if chinese
            else f", sunrise {sunrise}, sunset {sunset}"
        )
    return f"{now:%Y-%m-%d %H:%M} {day}{sun}"
