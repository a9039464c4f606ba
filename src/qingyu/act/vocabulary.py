"""What can be in a household, and what each thing can do: the one table all of `act` rests on.

    DOMAINS["light"].attributes["brightness"].high        # 100
    DOMAINS["climate"].actions["set"].parameters["mode"]  # what a mode may be

The grammar, the guard, the simulator and the documentation are made from it. It knows kinds of
devices; which devices there are, and how far each goes, says a household's file (`world`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from qingyu.act.terms import Action, Attribute, Domain, Parameter

COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "white")
MODES = ("off", "cool", "heat", "auto", "dry", "fan_only")
DAYS = ("once", "daily", "weekdays", "weekends", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
COVER_KINDS = (
    "curtain", "blind", "shade", "garage", "gate", "window", "sunroof", "boot", "door",
)  # fmt: skip
SENSOR_KINDS = (
    "temperature", "humidity", "power", "energy", "pm25", "co2", "battery", "illuminance", "speed",
    "range", "tire_pressure",
)  # fmt: skip
BINARY_KINDS = ("door", "window", "motion", "presence", "smoke", "leak", "rain")
SWITCHED = (
    "light", "switch", "fan", "humidifier", "water_heater", "climate", "media_player",
)  # fmt: skip
"""Domains with on and off."""
RISKY_COVERS = frozenset({"garage", "gate", "door", "boot"})
"""Opening these lets somebody in, or something out."""
CLOSED_WHILE_MOVING = frozenset({"door", "boot"})
"""What stays closed while a sensor of kind "speed" says more than 0."""

VIDEO = (
    "video", "视频", "电影", "film", "movie", "tv", "电视", "netflix", "youtube", "bilibili",
    "爱奇艺", "优酷", "b站", "hdmi",
)  # fmt: skip
"""A source one of whose names has one of these in it shows pictures: not while the car moves."""

_ON_OFF = Attribute(english="state", chinese="开关", kind="option", options=("on", "off"))
_OPEN_CLOSED = replace(_ON_OFF, options=("open", "closed"))


def _states(*options: str) -> Attribute:
    return replace(_ON_OFF, chinese="状态", options=options)


def _percent(english: str, chinese: str, low: float = 0, high: float = 100) -> Attribute:
    return Attribute(
        english=english, chinese=chinese, kind="percent", unit="%", low=low, high=high, step=1
    )


def _number(
    english: str,
    chinese: str,
    low: float | None = None,
    high: float | None = None,
    *,
    unit: str = "",
    step: float | None = 1,
) -> Attribute:
    return Attribute(
        english=english, chinese=chinese, kind="number", unit=unit, low=low, high=high, step=step
    )


def _option(english: str, chinese: str, *options: str, by: str = "") -> Attribute:
    return Attribute(english=english, chinese=chinese, kind="option", options=options, chosen_by=by)


def _text(english: str, chinese: str) -> Attribute:
    return Attribute(english=english, chinese=chinese, kind="text")


def _kind(*kinds: str) -> Attribute:
    return replace(_option("kind", "种类", *kinds), access="fixed")


def _records(english: str, chinese: str, **fields: Attribute) -> Attribute:
    return Attribute(english=english, chinese=chinese, kind="records", fields=fields)


def _setting(parameters: Mapping[str, Attribute], **keys: str) -> Action:
    """The action that sets attributes; a parameter's key is its own name unless given."""
    return Action(
        english="set",
        chinese="设置",
        one_of=True,
        parameters={
            name: Parameter(value=value, sets=keys.get(name, name), required=False)
            for name, value in parameters.items()
        },
    )


def _adding(english: str, chinese: str, optional: str = "", **fields: Attribute) -> Action:
    return Action(
        english=english,
        chinese=chinese,
        parameters={
            name: Parameter(value=value, required=name != optional)
            for name, value in fields.items()
        },
    )


def _removing(english: str, chinese: str, **fields: Attribute) -> Action:
    """Removes the records that have all the given values; without any, all records."""
    return Action(
        english=english,
        chinese=chinese,
        parameters={name: Parameter(value=one, required=False) for name, one in fields.items()},
    )


_TURN_ON = Action(english="turn on", chinese="打开")
_TURN_OFF = Action(english="turn off", chinese="关闭")
_ON_AND_OFF = {"turn_on": _TURN_ON, "turn_off": _TURN_OFF}
_DEGREES = "°C"
_ROOM_TEMPERATURE = _number("temperature", "温度", 16, 30, unit=_DEGREES, step=0.5)
_MEASURED_TEMPERATURE = replace(
    _number("current temperature", "当前温度", unit=_DEGREES, step=None), access="read"
)
_BATTERY = replace(_percent("battery", "电量"), access="read")
_MUTED = Attribute(english="muted", chinese="静音", kind="bool")
_SECONDS = _number("seconds", "秒数", 1, 359_999, unit="s")
_LABEL = _text("label", "名称")
_TIME = Attribute(english="time", chinese="时间", kind="time")
_AT = Attribute(english="time", chinese="时间", kind="moment")
_ITEM = _text("item", "条目")
_WORDS = _text("text", "内容")
_TITLE = _text("title", "标题")
_CONTACT = _option("contact", "联系人", by="contact")
_AREA = _option("area", "区域", by="area")
_MODE = _option("mode", "模式", *MODES, by="options.mode")

_LIGHT = {
    "brightness": replace(_percent("brightness", "亮度", low=1), zero_is_off=True),
    "color": _option("colour", "颜色", *COLORS, by="options.color"),
    "color_temperature": _number("colour temperature", "色温", 2200, 6500, unit="K"),
}
_CLIMATE = {
    "temperature": _ROOM_TEMPERATURE,
    "fan": _option("fan speed", "风速", "low", "medium", "high", "auto", by="options.fan"),
}
_FAN = {
    "speed": replace(_percent("speed", "风速", low=1), zero_is_off=True),
    "oscillating": Attribute(english="oscillation", chinese="摇头", kind="bool"),
}
_HUMIDIFIER = {
    "humidity": _percent("target humidity", "目标湿度", low=30, high=80),
    "mode": _option("mode", "模式", by="options.mode"),
}
_HEATER = {"temperature": _number("temperature", "温度", 35, 75, unit=_DEGREES)}
_PLAYER = {
    "volume": _percent("volume", "音量"),
    "source": _option("source", "信号源", by="options.source"),
}
_SEAT = {
    "heating": _number("heating", "座椅加热", 0, 3),
    "ventilation": _number("ventilation", "座椅通风", 0, 3),
}
_LIMIT = {"limit": _percent("charging limit", "充电上限", low=50)}
_LEVEL = _percent("level", "数值")
_CHOICE = _option("setting", "档位", by="options.state")
_PLACE = _option("place", "地点", by="options.place")
_TARGET = _option("target", "跟随对象", by="options.target")
_APP = _option("app", "应用", by="options.app")


def _one(name: str, value: Attribute, sets: str = "") -> dict[str, Parameter]:
    return {name: Parameter(value=value, sets=sets)}


DOMAINS: Mapping[str, Domain] = {
    "light": Domain(
        english="light",
        chinese="灯",
        state=_ON_OFF,
        attributes=_LIGHT,
        actions=_ON_AND_OFF | {"set": _setting(_LIGHT)},
    ),
    "switch": Domain(english="switch", chinese="开关", state=_ON_OFF, actions=_ON_AND_OFF),
    "cover": Domain(
        english="cover",
        chinese="门窗帘",
        state=_OPEN_CLOSED,
        attributes={"position": _percent("position", "开度"), "kind": _kind(*COVER_KINDS)},
        actions={
            "open": Action(english="open", chinese="打开", risky="some"),
            "close": Action(english="close", chinese="关闭"),
            "set": replace(_setting({"position": _percent("position", "开度")}), risky="some"),
        },
    ),
    "climate": Domain(
        english="climate",
        chinese="空调",
        state=replace(_MODE, english="state", chinese="状态"),
        attributes=_CLIMATE
        | {
            "current_temperature": _MEASURED_TEMPERATURE,
            "last_mode": replace(_MODE, english="last mode", chinese="上次模式", access="memory"),
        },
        actions=_ON_AND_OFF | {"set": _setting({"mode": _MODE} | _CLIMATE, mode="state")},
    ),
    "fan": Domain(
        english="fan",
        chinese="风扇",
        state=_ON_OFF,
        attributes=_FAN,
        actions=_ON_AND_OFF | {"set": _setting(_FAN)},
    ),
    "lock": Domain(
        english="lock",
        chinese="锁",
        state=_states("locked", "unlocked"),
        actions={
            "lock": Action(english="lock", chinese="锁上"),
            "unlock": Action(english="unlock", chinese="开锁", risky="always"),
        },
    ),
    "media_player": Domain(
        english="media player",
        chinese="播放器",
        state=_states("off", "idle", "playing", "paused"),
        attributes=_PLAYER | {"muted": _MUTED, "track": _number("track", "曲目", 1)},
        actions=_ON_AND_OFF
        | {
            "play": Action(english="play", chinese="播放"),
            "pause": Action(english="pause", chinese="暂停"),
            "stop": Action(english="stop", chinese="停止"),
            "next": Action(english="next track", chinese="下一首", needs=("track",)),
            "previous": Action(english="previous track", chinese="上一首", needs=("track",)),
            "mute": Action(english="mute", chinese="静音", needs=("muted",)),
            "unmute": Action(english="unmute", chinese="取消静音", needs=("muted",)),
            "set": _setting(_PLAYER),
        },
    ),
    "vacuum": Domain(
        english="vacuum",
        chinese="扫地机",
        state=_states("docked", "cleaning", "paused", "returning"),
        attributes={"area": replace(_AREA, blank=True), "battery": _BATTERY},
        actions={
            "start": Action(english="start cleaning", chinese="开始清扫"),
            "clean": Action(
                english="clean", chinese="清扫", needs=("area",), parameters=_one("area", _AREA)
            ),
            "pause": Action(english="pause", chinese="暂停"),
            "return": Action(english="return to the dock", chinese="回充"),
        },
    ),
    "valve": Domain(
        english="valve",
        chinese="阀门",
        state=_OPEN_CLOSED,
        actions={
            "open": Action(english="open", chinese="打开"),
            "close": Action(english="close", chinese="关闭"),
        },
    ),
    "humidifier": Domain(
        english="humidifier",
        chinese="加湿器",
        state=_ON_OFF,
        attributes=_HUMIDIFIER
        | {"current_humidity": replace(_percent("humidity", "当前湿度"), access="read")},
        actions=_ON_AND_OFF | {"set": _setting(_HUMIDIFIER)},
    ),
    "water_heater": Domain(
        english="water heater",
        chinese="热水器",
        state=_ON_OFF,
        attributes=_HEATER | {"current_temperature": _MEASURED_TEMPERATURE},
        actions=_ON_AND_OFF | {"set": _setting(_HEATER)},
    ),
    "sensor": Domain(
        english="sensor",
        chinese="传感器",
        state=Attribute(english="reading", chinese="读数", kind="reading", access="read"),
        attributes={
            "unit": replace(_text("unit", "单位"), access="fixed"),
            "kind": _kind(*SENSOR_KINDS),
        },
    ),
    "binary_sensor": Domain(
        english="detector",
        chinese="探测器",
        state=replace(_ON_OFF, access="read"),
        attributes={"kind": _kind(*BINARY_KINDS)},
    ),
    "scene": Domain(
        english="scene",
        chinese="场景",
        state=None,
        actions={"activate": Action(english="activate", chinese="启动", risky="some")},
    ),
    "todo": Domain(
        english="list",
        chinese="清单",
        state=None,
        attributes={"items": Attribute(english="items", chinese="条目", kind="texts")},
        actions={
            "add": _adding("add", "添加", item=_ITEM),
            "remove": Action(english="remove", chinese="删除", parameters=_one("item", _ITEM)),
            "complete": Action(english="complete", chinese="完成", parameters=_one("item", _ITEM)),
        },
    ),
    "timer": Domain(
        english="timer",
        chinese="计时器",
        state=None,
        attributes={"timers": _records("timers", "计时", seconds=_SECONDS, label=_LABEL)},
        actions={
            "start": _adding("start", "开始计时", "label", seconds=_SECONDS, label=_LABEL),
            "cancel": _removing("cancel", "取消", seconds=_SECONDS, label=_LABEL),
        },
    ),
    "alarm": Domain(
        english="alarm",
        chinese="闹钟",
        state=None,
        attributes={
            "alarms": _records("alarms", "闹钟", time=_TIME, days=_option("days", "日子", *DAYS))
        },
        actions={
            "add": _adding("add", "添加", "days", time=_TIME, days=_option("days", "日子", *DAYS)),
            "remove": _removing("remove", "删除", time=_TIME, days=_option("days", "日子", *DAYS)),
        },
    ),
    "reminder": Domain(
        english="reminder",
        chinese="提醒",
        state=None,
        attributes={"reminders": _records("reminders", "提醒", text=_WORDS, at=_AT)},
        actions={
            "add": _adding("add", "添加", text=_WORDS, at=_AT),
            "remove": _removing("remove", "删除", text=_WORDS, at=_AT),
        },
    ),
    "calendar": Domain(
        english="calendar",
        chinese="日历",
        state=None,
        attributes={"events": _records("events", "日程", title=_TITLE, at=_AT)},
        actions={
            "add": _adding("add", "添加", title=_TITLE, at=_AT),
            "remove": _removing("remove", "删除", title=_TITLE, at=_AT),
        },
    ),
    "dialer": Domain(
        english="phone",
        chinese="电话",
        state=_states("idle", "calling"),
        attributes={"contact": replace(_CONTACT, blank=True)},
        actions={
            "call": Action(
                english="call",
                chinese="打电话",
                parameters=_one("contact", _CONTACT),
                risky="always",
            ),
            "hang_up": Action(english="hang up", chinese="挂断"),
        },
    ),
    "messenger": Domain(
        english="messages",
        chinese="短信",
        state=None,
        attributes={"sent": _records("sent", "已发送", contact=_CONTACT, text=_WORDS)},
        actions={
            "send": replace(_adding("send", "发送", contact=_CONTACT, text=_WORDS), risky="always"),
        },
    ),
    "app": Domain(
        english="apps",
        chinese="应用",
        state=None,
        attributes={"open": replace(_APP, blank=True)},
        actions={"open": Action(english="open", chinese="打开", parameters=_one("app", _APP))},
    ),
    "navigator": Domain(
        english="navigation",
        chinese="导航",
        state=_states("idle", "navigating"),
        attributes={
            "destination": replace(_PLACE, english="destination", chinese="目的地", blank=True)
        },
        actions={
            "navigate": Action(
                english="navigate", chinese="导航", parameters=_one("place", _PLACE)
            ),
            "stop": Action(english="stop", chinese="停止"),
        },
    ),
    "level": Domain(
        english="level",
        chinese="音量与亮度",
        state=_LEVEL,
        attributes={"kind": _kind("volume", "brightness")},
        actions={
            "set": Action(
                english="set", chinese="设置", parameters=_one("value", _LEVEL, sets="state")
            ),
            "mute": Action(english="mute", chinese="静音"),
        },
    ),
    "select": Domain(
        english="setting",
        chinese="档位",
        state=_CHOICE,
        attributes={"kind": _kind("drive_mode", "headlights", "other")},
        actions={
            "set": Action(
                english="set",
                chinese="设置",
                parameters=_one("value", _CHOICE, sets="state"),
                risky="some",
            ),
        },
    ),
    "seat": Domain(
        english="seat",
        chinese="座椅",
        state=None,
        attributes=_SEAT,
        actions={"set": _setting(_SEAT)},
    ),
    "charger": Domain(
        english="charging",
        chinese="充电",
        state=_states("charging", "stopped"),
        attributes=_LIMIT,
        actions={
            "start": Action(english="start charging", chinese="开始充电"),
            "stop": Action(english="stop charging", chinese="停止充电"),
            "set": _setting(_LIMIT),
        },
    ),
    "robot": Domain(
        english="robot",
        chinese="机器人",
        state=_states(
            "docked", "standing", "sitting", "lying", "walking", "following", "patrolling"
        ),
        attributes={
            "place": replace(_PLACE, blank=True),
            "heading": replace(_number("heading", "朝向", 0, 359, unit="°"), access="read"),
            "moved": replace(_number("distance", "走过", unit="m", step=None), access="read"),
            "target": replace(_TARGET, blank=True),
            "battery": _BATTERY,
        },
        actions={
            "stand": Action(english="stand", chinese="站起"),
            "sit": Action(english="sit", chinese="坐下"),
            "lie": Action(english="lie down", chinese="趴下"),
            "walk": Action(
                english="walk",
                chinese="行走",
                needs=("moved",),
                risky="always",
                parameters=_one(
                    "distance", _number("distance", "距离", -50, 50, unit="m", step=0.01)
                ),
            ),
            "turn": Action(
                english="turn",
                chinese="转动",
                needs=("heading",),
                risky="always",
                parameters=_one("angle", _number("angle", "角度", -360, 360, unit="°")),
            ),
            "go_to": Action(
                english="go to",
                chinese="前往",
                needs=("place",),
                risky="always",
                parameters=_one("place", _PLACE),
            ),
            "follow": Action(
                english="follow",
                chinese="跟随",
                needs=("target",),
                risky="always",
                parameters=_one("target", _TARGET),
            ),
            "patrol": Action(english="patrol", chinese="巡逻", risky="always"),
            "dock": Action(english="go to the dock", chinese="回充", risky="always"),
            "stop": Action(english="stop", chinese="停下"),
        },
    ),
}
