"""An order in Chinese, without a subject: what follows 已, 会 and 要.

Orders(world).phrase([Call("set", "light.desk", {"brightness": 40})])    # "把台灯的亮度调到40%"
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from qingyu.act.calls import Call
from qingyu.act.replies.wording import Naming, amount, number
from qingyu.act.values import MOMENT
from qingyu.act.world import Entity, Record, Value, World

COLORS = {
    "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "cyan": "青色",
    "blue": "蓝色", "purple": "紫色", "pink": "粉色", "white": "白色",
}  # fmt: skip
MODES = {
    "off": "关闭", "cool": "制冷", "heat": "制热", "auto": "自动", "dry": "除湿",
    "fan_only": "送风",
}  # fmt: skip
LEVELS = {
    "low": "低", "medium": "中", "high": "高", "auto": "自动", "off": "关", "on": "开",
}  # fmt: skip
DAYS = {
    "once": "一次", "daily": "每天", "weekdays": "工作日", "weekends": "周末", "mon": "周一",
    "tue": "周二", "wed": "周三", "thu": "周四", "fri": "周五", "sat": "周六", "sun": "周日",
}  # fmt: skip
_PLAIN = {
    "turn_on": "打开{}", "turn_off": "关闭{}", "open": "打开{}", "close": "关上{}",
    "lock": "锁上{}", "unlock": "解锁{}", "activate": "启动{}", "stop": "停止{}",
    "mute": "把{}静音", "unmute": "取消{}的静音",
    "next": "让{}放下一首", "previous": "让{}放上一首", "play": "让{}播放", "pause": "暂停{}",
    "start": "启动{}", "return": "让{}回充",
}  # fmt: skip
_OWN = {
    ("vacuum", "start"): "让{}开始清扫", ("vacuum", "pause"): "让{}暂停清扫",
    ("charger", "start"): "开始充电", ("charger", "stop"): "停止充电",
    ("dialer", "hang_up"): "挂断电话", ("navigator", "stop"): "停止导航",
    ("robot", "stand"): "让{}站好", ("robot", "sit"): "让{}坐下",
    ("robot", "lie"): "让{}趴下",
    ("robot", "patrol"): "让{}巡逻", ("robot", "dock"): "让{}回去充电",
    ("robot", "stop"): "让{}停下",
}  # fmt: skip
_SET_TO = {"color": "调成", "mode": "切到", "source": "切到", "fan": "调到"}


class OrdersZh(Naming):
    def __init__(self, world: World) -> None:
        super().__init__(world, "zh")

    def listed(self, words: Sequence[str], joint: str = "和") -> str:
        if len(words) < 2:
            return "".join(words)
        return "、".join(words[:-1]) + joint + words[-1]

    def phrase(self, calls: Sequence[Call]) -> str:
        """Calls that say the same of one or several devices, as one order."""
        call, names = calls[0], self.listed(self.names(one.entity for one in calls))
        entity = self.entity(call.entity)
        own = _OWN.get((entity.domain, call.action))
        if own is not None:
            return own.format(names)
        if call.action == "set":
            return self._set(entity, call, names)
        if call.arguments or entity.domain in ("todo", "timer", "alarm", "reminder", "calendar"):
            return self._service(entity, call, names)
        return _PLAIN.get(call.action, "操作{}").format(names)

    def _set(self, entity: Entity, call: Call, names: str) -> str:
        values = dict(call.arguments)
        if entity.domain in ("light", "fan") and 0 in values.values():
            return f"关闭{names}"
        if set(values) == {"value"}:
            verb = "切到" if entity.domain == "select" else "调到"
            return f"把{names}{verb}{self.value(entity, 'state', values['value'])}"
        if values == {"mode": "off"}:
            return f"关闭{names}"
        if entity.domain == "charger" and "limit" in values:
            return f"把充电上限设为{self.value(entity, 'limit', values['limit'])}"
        told = [(key, self.value(entity, key, one)) for key, one in values.items()]
        if len(told) == 1:
            key, value = told[0]
            if key == "mode":
                return f"把{names}切到{value}模式"
            if key == "oscillating":
                return f"把{names}的摇头{'打开' if values[key] else '关掉'}"
            return f"把{names}的{self.attribute(entity, key)}{_SET_TO.get(key, '调到')}{value}"
        pairs = [f"{self.attribute(entity, key)}{value}" for key, value in told]
        return f"把{names}调到{'、'.join(pairs)}"

    def attribute(self, entity: Entity, key: str) -> str:
        attributes = entity.vocabulary.attributes
        if key in attributes:
            return attributes[key].chinese
        return "模式" if key == "mode" else "状态"

    def value(self, entity: Entity, key: str, value: Value) -> str:
        """A value of "state" or an attribute as people say it."""
        attribute = entity.attribute("state" if key in ("mode", "value") else key)
        if isinstance(value, bool):
            return "开" if value else "关"
        if key == "color":
            return COLORS.get(str(value), str(value))
        if entity.domain == "climate" and key in ("mode", "state", "last_mode"):
            return MODES.get(str(value), str(value))
        if key == "fan" and isinstance(value, str):
            return LEVELS.get(value, value) + ("档" if value in ("low", "medium", "high") else "")
        if key == "contact":
            return self.contact(str(value))
        if key == "area" or (key == "place" and entity.domain == "robot"):
            return self.place(str(value))
        if key == "target" and value == "speaker":
            return "你"
        if isinstance(value, str):
            known = self.option(entity, value)
            return LEVELS.get(known, known) if entity.domain == "select" else known
        if key in ("heating", "ventilation"):
            return f"{amount(value, '')}档"
        return amount(value, attribute.unit if attribute is not None else "")

    def _service(self, entity: Entity, call: Call, names: str) -> str:
        a = call.arguments
        match entity.domain, call.action:
            case "vacuum", _:
                return f"让{names}去清扫{self.place(str(a['area']))}"
            case "todo", "add":
                return f"把“{a['item']}”加到{names}"
            case "todo", _:
                return f"从{names}划掉“{a['item']}”"
            case "timer", "start":
                return f"开始{self.duration(a['seconds'])}的计时{self._label(a.get('label'))}"
            case "timer", _:
                return f"取消{self._matching(call, names)}"
            case "alarm", "add":
                days = str(a.get("days", "once"))
                often = "" if days == "once" else f"（{DAYS[days]}）"
                return f"设{a['time']}的{names}{often}"
            case ("reminder", "add") | ("calendar", "add"):
                what = a.get("text", a.get("title", ""))
                return f"记下{self.moment_text(str(a['at']))}“{what}”"
            case (("alarm" | "reminder" | "calendar"), _):
                return f"取消{self._matching(call, names)}"
            case "dialer", _:
                return f"给{self.contact(str(a['contact']))}打电话"
            case "messenger", _:
                return f"给{self.contact(str(a['contact']))}发消息：“{a['text']}”"
            case "app", _:
                return f"打开{self.option(entity, str(a['app']))}"
            case "navigator", _:
                return f"导航到{self.option(entity, str(a['place']))}"
            case "robot", _:
                return self._robot(entity, call, names)
        return f"操作{names}"

    def _robot(self, entity: Entity, call: Call, names: str) -> str:
        a = call.arguments
        match call.action:
            case "walk":
                metres = a["distance"]
                assert isinstance(metres, int | float)
                way = "向前走" if metres >= 0 else "后退"
                return f"让{names}{way}{number(abs(metres))}米"
            case "turn":
                angle = a["angle"]
                assert isinstance(angle, int | float)
                return f"让{names}{'右' if angle >= 0 else '左'}转{number(abs(angle))}°"
            case "go_to":
                return f"让{names}去{self.value(entity, 'place', a['place'])}"
        return f"让{names}跟着{self.value(entity, 'target', a['target'])}"

    def _label(self, label: Value | None) -> str:
        return f"（{label}）" if label else ""

    def _matching(self, call: Call, names: str) -> str:
        if not call.arguments:
            return f"所有{names}"
        return f"{names}：{self.entry(dict(call.arguments))}"

    def entry(self, entry: str | Record) -> str:
        """An entry of a list, or what is known of one."""
        if isinstance(entry, str):
            return entry
        parts = []
        if "seconds" in entry:
            parts.append(self.duration(entry["seconds"]))
        if "time" in entry:
            parts.append(str(entry["time"]))
        if "at" in entry:
            parts.append(self.moment_text(str(entry["at"])))
        if entry.get("days", "once") != "once":
            parts.append(DAYS.get(str(entry["days"]), str(entry["days"])))
        if "contact" in entry:
            parts.append(f"给{self.contact(str(entry['contact']))}")
        words = entry.get("text") or entry.get("title") or entry.get("label") or entry.get("item")
        if words:
            parts.append(f"“{words}”")
        return " ".join(parts)

    def moment_text(self, at: str) -> str:
        moment = datetime.strptime(at, MOMENT)
        return f"{moment.month}月{moment.day}日 {moment:%H:%M}"

    def duration(self, seconds: Value) -> str:
        assert isinstance(seconds, int | float)
        whole = int(seconds)
        hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
        parts = ((hours, "小时"), (minutes, "分钟"), (rest, "秒"))
        return "".join(f"{count}{unit}" for count, unit in parts if count) or "0秒"
