"""What is said in Chinese. Facts in, one short sentence out; see `reply`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from qingyu.act.answers import Step
from qingyu.act.calls import Call, Verdict
from qingyu.act.facts import Sure, Undone
from qingyu.act.records.memory import Memorized, Nickname, Routine
from qingyu.act.records.schedules import Schedule
from qingyu.act.replies.orders_zh import DAYS, OrdersZh
from qingyu.act.replies.questions_zh import QuestionsZh
from qingyu.act.replies.wording import alike, amount, number
from qingyu.act.state import State
from qingyu.act.understood import Absent, Unable
from qingyu.act.values import is_number
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.when import parse_when
from qingyu.act.world import Record

CLASSES = {
    "contact": "这个联系人", "place": "这个地方",
    "light": "灯", "switch": "开关", "appliance": "电器", "curtain": "窗帘", "blind": "百叶帘",
    "window": "窗户", "cover": "门窗帘", "door": "门", "lock": "锁", "ac": "空调",
    "heater": "暖气", "climate": "空调", "fan": "风扇", "media": "播放器", "vacuum": "扫地机",
    "valve": "阀门", "humidifier": "加湿器", "water_heater": "热水器", "seat": "座椅",
    "headlights": "大灯", "drive_mode": "驾驶模式", "charger": "充电", "robot": "机器人",
    "scene": "场景", "todo": "清单", "shopping": "购物清单", "timer": "计时器", "alarm": "闹钟",
    "reminder": "提醒", "calendar": "日历", "volume": "音量", "screen": "屏幕",
    "sensor": "传感器", "everything": "设备", "temperature": "温度计", "humidity": "湿度计",
    "pm25": "PM2.5 传感器", "co2": "二氧化碳传感器", "power": "功率计", "energy": "电表",
    "battery": "电池", "illuminance": "光照传感器", "speed": "车速", "range": "续航",
    "tire_pressure": "胎压", "motion": "人体传感器", "smoke": "烟雾报警器", "leak": "漏水传感器",
    "rain": "雨量传感器",
}  # fmt: skip
NOTES = {
    "quiet": "请说吧。", "lost": "没听懂。", "talk": "这个我聊不来，我只管设备。",
    "nothing_waits": "现在没有要确认的事。", "fine": "好的，那就不做了。",
    "nothing_to_undo": "没有可以撤销的操作。", "unknown_name": "没听清说的是哪个，没有记下。",
    "passed": "那个时间已经过去了。",
    "timed_routine": "口令里不能带时间，没有记下。",
    "taken_name": "这个名字在这里已有别的意思，请换一个。",
    "no_sun": "不知道这里的日出日落时间。", "too_long": "这句话太长了，请说短一些。",
}  # fmt: skip
_WEEK = "一二三四五六日"


class RepliesZh(QuestionsZh, OrdersZh):
    def did(self, calls: Sequence[Call]) -> str:
        phrase = self.phrase(calls)
        return f"{phrase}。" if phrase.startswith("开始") else f"已{phrase}。"

    def failed(self, step: Step) -> str:
        phrase = self.phrase([step.call])
        if step.outcome == "no_answer":
            return f"{self.name(step.call.entity)}没有回应，不确定是否已{phrase}。"
        detail = f"：{step.detail}" if step.detail else ""
        return f"没能{phrase}{detail}。"

    def refused(self, verdict: Verdict) -> str:
        call, entity = verdict.call, self.entity(verdict.call.entity)
        name = self.name(call.entity)
        what = self.attribute(entity, verdict.key) if verdict.key else ""
        if entity.domain == "robot" and verdict.key in ("distance", "angle"):
            what = {"distance": "距离", "angle": "角度"}[verdict.key]
        of = f"的{what}" if what and verdict.key != "value" else ""
        match verdict.outcome, verdict.reason:
            case "out_of_range", "step":
                step, value = number(verdict.step or 1), self._with_unit(verdict, verdict.value)
                return f"{name}{of}只能以{step}{verdict.unit}为一档，不能设为{value}。"
            case "out_of_range", _:
                low, high = (
                    "" if one is None else number(one) for one in (verdict.low, verdict.high)
                )
                value = self._with_unit(verdict, verdict.value)
                return f"{name}{of}只能在{low}到{high}{verdict.unit}之间，不能设为{value}。"
            case "absent", "entity":
                return f"没有找到{call.entity}。"
            case "absent", "option":
                value = self.value(entity, verdict.key, verdict.value or "")
                return f"没有找到“{value}”。"
            case "absent", "record":
                wanted = self.entry(dict(call.arguments)) if call.arguments else ""
                return f"{name}里没有{wanted}。" if wanted else f"{name}是空的，没有可取消的。"
            case "unsupported", "attribute":
                return f"{name}不支持{'' if verdict.key == 'oscillating' else '调'}{what}。"
            case "unsupported", "option":
                known = "、".join(self.value(entity, verdict.key, one) for one in verdict.options)
                value = self.value(entity, verdict.key, verdict.value or "")
                return (
                    f"{name}不支持{value}，只能选{known}。" if known else f"{name}不支持{value}。"
                )
            case "unsupported", "action":
                return f"{name}不能{self._action(call.action)}。"
            case "not_now", "halted":
                return f"刚才叫停了，没有{self.phrase([call])}。"
            case "not_now", _:
                speed = number(verdict.speed or 0)
                return f"行驶中（车速{speed}）不能{self.phrase([call])}，请停车后再试。"
        return f"{name}不支持这样设置。"

    def _with_unit(self, verdict: Verdict, value: object) -> str:
        assert is_number(value)
        assert isinstance(value, int | float)
        return amount(value, verdict.unit)

    @staticmethod
    def _action(action: str) -> str:
        return next(
            (one.actions[action].chinese for one in DOMAINS.values() if action in one.actions),
            "这样做",
        )

    def already(self, verdicts: Sequence[Verdict], state: State, others: int = 0) -> str:
        call = verdicts[0].call
        entity = self.entity(call.entity)
        names = self.listed(self.names(one.call.entity for one in verdicts))
        if others:
            names = f"其余{len(verdicts)}个"
        if verdicts[0].reason == "listed":
            return f"{names}里已经有“{self.entry(dict(call.arguments))}”了。"
        told = [
            f"{self.attribute(entity, key)}{self.value(entity, key, value)}"
            for key, value in call.arguments.items()
            if key not in ("mode", "value")
        ]
        if told:
            return f"{names}已经是{'、'.join(told)}了。"
        if entity.domain == "scene":
            return f"{names}已经是这样了。"
        return f"{names}已经{self.is_now(call.entity, state)}了。"

    def planned(self, schedule: Schedule, now: datetime) -> str:
        orders = "，".join(self.phrase(group) for group in alike(schedule.calls))
        return f"好的，{self.moment_words(schedule, now)}{orders}。"

    def moment_words(self, schedule: Schedule, now: datetime) -> str:
        """When a schedule is due: 10分钟后（19:40）, 明天07:00, 日落后30分钟（17:35）."""
        at, when = schedule.at, parse_when(schedule.moment)
        if schedule.days != "once":
            return self.often(schedule.days, at)
        clock = self.day_words(at, now)
        if when.base == "said":
            return f"{self.duration(when.seconds)}后（{clock}）"
        if when.base in ("sunset", "sunrise"):
            sun = "日落" if when.base == "sunset" else "日出"
            shift = self.duration(abs(when.seconds)) if when.seconds else ""
            side = ("后" if when.seconds > 0 else "前") if when.seconds else "时"
            return f"{sun}{side}{shift}（{clock}）"
        return clock

    def often(self, days: str, at: datetime) -> str:
        return self.listed([DAYS.get(one, one) for one in days.split(",")]) + f"{at:%H:%M}"

    def day_words(self, at: datetime, now: datetime) -> str:
        days = (at.date() - now.date()).days
        near = {0: "", 1: "明天", 2: "后天", -1: "昨天"}
        if days in near:
            return f"{near[days]}{at:%H:%M}"
        week = f"周{_WEEK[at.weekday()]}"
        return f"{week if 0 < days < 7 else f'{at.month}月{at.day}日'}{at:%H:%M}"

    def rang(self, id: str, entry: Record) -> str:
        lead = {"timer": "计时结束", "alarm": "闹钟响了", "reminder": "提醒", "calendar": "日程"}
        words = entry.get("text") or entry.get("title") or self.entry(entry)
        return f"{lead[id.partition('.')[0]]}：{words}。"

    def sure(self, fact: Sure) -> str:
        orders = "，并".join(self.phrase(group) for group in alike(fact.calls))
        lead = "撤销会" if fact.undo else ""
        when = f"{self._when(fact.when, fact.days)}" if fact.when else ""
        others = self.listed(self.names(fact.because))
        because = f"（会打开或解锁{others}）" if others else ""
        return f"{lead}{when}{orders}{because}，确认吗？"

    def _when(self, moment: str, days: str) -> str:
        when = parse_when(moment)
        if days != "once":
            return self.listed([DAYS.get(one, one) for one in days.split(",")])
        if when.base == "said":
            return f"{self.duration(when.seconds)}后"
        if when.base in ("sunset", "sunrise"):
            sun = "日落" if when.base == "sunset" else "日出"
            return f"{sun}{'后' if when.seconds >= 0 else '前'}"
        return moment if when.base == "time" else self.moment_text(moment)

    def asked(self, candidates: Sequence[str]) -> str:
        return f"是{self.listed([self.candidate(one) for one in candidates], '还是')}？"

    def dropped(self, calls: Sequence[Call]) -> str:
        return f"好的，没有{'，也没有'.join(self.phrase(one) for one in alike(calls))}。"

    def undone(self, fact: Undone, state: State) -> str:
        parts = []
        back = dict.fromkeys(
            id
            for one in fact.steps
            if one.outcome == "done"
            for id in one.after or (one.call.entity,)
        )
        if back:
            told = [f"{self.name(id)}{self.is_now(id, state)}" for id in back]
            parts.append(f"已撤销：{'，'.join(told)}。")
        if fact.cancelled:
            parts.append("已取消刚才的定时。")
        parts += [self.failed(one) for one in fact.steps if one.outcome != "done"]
        for reason, words in (
            ("changed", "之后又变过，没有动"),
            ("gone", "已不在，无法恢复"),
            ("for_good", "收不回来"),
        ):
            left = self.listed(self.names(one.entity for one in fact.left if one.reason == reason))
            if left:
                parts.append(f"{left}{words}。")
        return "".join(parts) or "已经和之前一样了。"

    def learned(self, what: Memorized, *, forgotten: bool) -> str:
        lead = "已忘记" if forgotten else "记住了"
        if isinstance(what, Nickname):
            about = self.candidate(what.about)
            return f"{lead}：{about}也叫“{what.name}”。"
        if isinstance(what, Routine):
            orders = "，".join(self.phrase(group) for group in alike(what.calls))
            return f"{lead}：说“{what.name}”就{orders}。"
        return f"{lead}：{what.name} {what.value}。"

    def note(self, what: str) -> str:
        example = next(
            (one for one in self.world.entities if one.domain in ("light", "switch")), None
        )
        if what == "lost" and example is not None:
            return f"没听懂。可以这样说：打开{self.name(example.id)}。"
        return NOTES[what]

    def absent(self, part: Absent) -> str:
        places = self.listed([self.place(one) for one in part.places])
        thing = f"“{part.words}”" if part.words else CLASSES.get(part.thing, "这个设备")
        return f"{places}没有{thing}。" if places else f"没有找到{thing}。"

    def unable(self, part: Unable) -> str:
        if not part.entity:
            return f"我没法做到“{part.words}”。" if part.words else "这里没有设备能帮上忙。"
        what = f"“{part.words}”" if part.words else "这个操作"
        return f"{self.name(part.entity)}不支持{what}。"

    def clock(self, now: datetime, *, day: bool) -> str:
        if day:
            return f"今天是{now.year}年{now.month}月{now.day}日，星期{_WEEK[now.weekday()]}。"
        return f"现在是{now:%H:%M}。"
