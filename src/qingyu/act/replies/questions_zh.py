"""Answers to questions, in Chinese: how a device is, which of several are on, what a list has."""

from __future__ import annotations

from datetime import datetime

from qingyu.act.calls import RECORDS
from qingyu.act.replies.orders_zh import LEVELS, MODES, OrdersZh
from qingyu.act.replies.wording import about_then, active, amount, records
from qingyu.act.state import State
from qingyu.act.understood import Agenda, Question
from qingyu.act.world import Entity, Value

STATES = {
    "on": "开着", "off": "关着", "open": "开着", "closed": "关着", "locked": "锁着",
    "unlocked": "没有锁", "idle": "空闲", "playing": "在播放", "paused": "暂停着",
    "docked": "在充电座上", "cleaning": "在清扫", "returning": "在回充", "calling": "在通话",
    "navigating": "在导航", "charging": "在充电", "stopped": "没有在充电", "standing": "站着",
    "sitting": "坐着", "lying": "趴着", "walking": "在走", "following": "在跟随",
    "patrolling": "在巡逻",
}  # fmt: skip
DETECTED = {
    "door": ("开着", "关着"), "window": ("开着", "关着"), "motion": ("有动静", "没有动静"),
    "presence": ("有人", "没有人"), "smoke": ("有烟雾", "没有烟雾"),
    "leak": ("漏水了", "没有漏水"), "rain": ("在下雨", "没有下雨"),
}  # fmt: skip


class QuestionsZh(OrdersZh):
    def is_now(self, id: str, state: State) -> str:
        """What follows a device's name: 关着, 在制冷, 是1250 ppm."""
        entity, value = self.entity(id), state.get(id)
        if value is None:
            return self._without_state(entity, state)
        if entity.domain == "binary_sensor":
            yes, no = DETECTED.get(entity.kind, ("触发了", "没有触发"))
            return yes if value == "on" else no
        if entity.domain == "sensor":
            return f"是{amount(value, str(entity.attributes.get('unit', '')), ' ')}"
        if entity.domain == "level":
            return f"是{amount(value, '%')}"
        if entity.domain == "climate":
            return "关着" if value == "off" else f"在{MODES.get(str(value), str(value))}"
        if entity.domain == "select":
            known = self.option(entity, str(value))
            return f"是{LEVELS.get(known, known)}"
        if value == "calling":
            return f"在和{self.contact(str(state.get(id, 'contact')))}通话"
        if value == "navigating":
            return f"在导航去{self.option(entity, str(state.get(id, 'destination')))}"
        if value == "cleaning" and state.get(id, "area"):
            return f"在清扫{self.place(str(state.get(id, 'area')))}"
        if value == "following":
            return f"在跟着{self.value(entity, 'target', state.get(id, 'target') or '')}"
        return STATES.get(str(value), str(value))

    def _without_state(self, entity: Entity, state: State) -> str:
        if entity.domain in RECORDS:
            entries = [self.entry(one) for one in records(state, entity.id)]
            count = f"{len(entries)}项" if len(entries) > 1 else ""
            return f"有{count}：{'、'.join(entries)}" if entries else "是空的"
        if entity.domain == "app":
            opened = str(state.get(entity.id, "open") or "")
            return f"开着{self.option(entity, opened)}" if opened else "没有打开的"
        if entity.domain == "seat":
            told = [self._attribute(entity, key, state) for key in entity.attributes]
            return "，".join(told)
        return "可以用"

    def _attribute(self, entity: Entity, key: str, state: State) -> str:
        """亮度40%, 在厨房, 静音了."""
        value: Value = state.get(entity.id, key) or 0
        if key == "muted":
            return "静音着" if value else "没有静音"
        if key == "oscillating":
            return "在摇头" if value else "没有摇头"
        if key in ("place", "area"):
            return f"在{self.value(entity, key, value)}" if value else "不在任何区域"
        if key in ("destination", "target", "contact") and not value:
            return f"没有{self.attribute(entity, key)}"
        name = {"current_temperature": "室温"} if entity.domain == "climate" else {}
        if key == "current_temperature" and entity.domain == "water_heater":
            name = {key: "水温"}
        is_set = "设定" if key == "temperature" else ""
        word = name.get(key, self.attribute(entity, key))
        if key == "track":
            return f"第{value}首"
        return f"{is_set}{word}{self.value(entity, key, value)}"

    def _alone(self, entity: Entity, key: str, state: State) -> str:
        """The same as a sentence about a device: 的亮度是40%, 在厨房, 没有静音."""
        told = self._attribute(entity, key, state)
        if told.startswith(("在", "没有", "不在", "静音", "第")):
            return told
        value = self.value(entity, key, state.get(entity.id, key) or 0)
        return f"的{told.removesuffix(value)}是{value}"

    def told(self, question: Question, state: State) -> str:
        """The answer to a question about a state or an attribute."""
        ids, key = question.entities, question.key
        if not ids:
            return "没有这样的设备。"
        if key == "list" and not all(self.entity(one).domain in RECORDS for one in ids):
            return self._inventory(ids, state)
        if key in ("state", "open?", "on?") and len(ids) > 1:
            return self._several(ids, state)
        return "；".join(self._about(self.entity(one), key, state) for one in ids) + "。"

    def _about(self, entity: Entity, key: str, state: State) -> str:
        name = self.name(entity.id)
        if key in RECORDS.values() or key == "list":
            return f"{name}{self.is_now(entity.id, state)}"
        if key == "where":
            key = "place" if entity.supports("place") else "area" if entity.supports("area") else ""
            area = self.world.area(entity.area)
            if not key or (key == "area" and not state.get(entity.id, key)):
                return f"{name}在{area.name('zh')}" if area is not None else f"{name}没有固定位置"
        if key in ("state", "open?", "on?", "open"):
            return f"{name}{self.is_now(entity.id, state)}{self._more(entity, state)}"
        if not entity.supports(key):
            return f"{name}没有{self.attribute(entity, key)}"
        other = self.beside(entity, key, state)
        beside = f"，{self._attribute(entity, other, state)}" if other else ""
        return f"{name}{self._alone(entity, key, state)}{beside}"

    def _more(self, entity: Entity, state: State) -> str:
        told = [self._attribute(entity, key, state) for key in self.told_too(entity, state)]
        return f"，{'，'.join(told)}" if told else ""

    def _inventory(self, ids: tuple[str, ...], state: State) -> str:
        """What there is, and how much of it is on."""
        names = self.listed(self.names(ids))
        if len(ids) < 2:
            return f"有{names}。"
        going = [one for one in self.switched(ids) if active(state.get(one))]
        if len(going) == len(ids):
            on = "，都开着"
        else:
            on = f"，其中{len(going)}个开着：{self.listed(self.names(going))}" if going else ""
        return f"有{len(ids)}个：{names}{on}。"

    def _several(self, ids: tuple[str, ...], state: State) -> str:
        """Which of them are on, open, unlocked. Measured values one by one, if it is only those."""
        others = [one for one in ids if isinstance(state.get(one), str)]
        measured = () if others else ids
        parts = [self._about(self.entity(one), "state", state) for one in measured]
        going = [one for one in others if active(state.get(one))]
        rest = [one for one in others if one not in going]
        if going:
            parts.append("、".join(f"{self.name(one)}{self.is_now(one, state)}" for one in going))
        if rest and going:
            parts.append(f"其余{len(rest)}个没有开")
        elif rest:
            words = {self.is_now(one, state) for one in rest}
            same = words.pop() if len(words) == 1 else "没有开"
            some = self.listed(self.names(rest)) if len(rest) <= 4 else f"这{len(rest)}个"
            parts.append(f"{some}都{same}")
        count = f"{len(others)}个里有{len(going)}个：" if going and len(others) > 2 else ""
        return count + "；".join(parts) + "。"

    def agenda(self, agenda: Agenda, state: State, now: datetime) -> str:
        """What is planned at a time or on a day; where nothing is, that."""
        found = [
            self.entry(one)
            for id in agenda.entities
            for one in records(state, id)
            if about_then(one, agenda.about, now, self.world.sun)
        ]
        count = f"共{len(found)}项：" if len(found) > 1 else ""
        return f"{count}{'、'.join(found)}。" if found else "那时没有安排。"
