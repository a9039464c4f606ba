"""What is said in English. Facts in, one short sentence out; see `reply`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from qingyu.act.answers import Step
from qingyu.act.calls import Call, Verdict
from qingyu.act.facts import Sure, Undone
from qingyu.act.records.memory import Memorized, Nickname, Routine
from qingyu.act.records.schedules import Schedule
from qingyu.act.replies.orders_en import DAYS, OrdersEn, the
from qingyu.act.replies.questions_en import QuestionsEn, be, capital
from qingyu.act.replies.wording import alike, amount, number
from qingyu.act.state import State
from qingyu.act.understood import Absent, Unable
from qingyu.act.values import is_number
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.when import parse_when
from qingyu.act.world import Record

CLASSES = {
    "contact": "such contact", "place": "such place",
    "ac": "air conditioner", "media": "media player", "water_heater": "water heater",
    "todo": "list", "drive_mode": "drive mode", "shopping": "shopping list",
    "everything": "device", "pm25": "PM2.5 sensor", "co2": "CO2 sensor",
    "tire_pressure": "tyre pressure", "climate": "air conditioner", "temperature": "thermometer",
    "humidity": "humidity sensor", "motion": "motion sensor", "smoke": "smoke detector",
    "leak": "leak sensor", "rain": "rain sensor", "media_player": "media player",
    "binary_sensor": "detector",
}  # fmt: skip
NOTES = {
    "quiet": "Yes?", "lost": "I did not understand that.",
    "talk": "I can't chat, I only handle devices.",
    "nothing_waits": "There is nothing to confirm.", "fine": "All right, I will leave it.",
    "nothing_to_undo": "There is nothing to undo.",
    "unknown_name": "I don't know which one that is, so nothing was remembered.",
    "timed_routine": "Such a word cannot wait for a time, so nothing was remembered.",
    "taken_name": "That name means something else here already; please take another one.",
    "passed": "That time has passed.",
    "no_sun": "I don't know when the sun rises and sets here.",
    "too_long": "That is too long; please say it shorter.",
}  # fmt: skip


class RepliesEn(QuestionsEn, OrdersEn):
    def did(self, calls: Sequence[Call]) -> str:
        robot = self.robot_did(calls[0])
        if robot:
            return f"{capital(robot)}."
        return f"{capital(self.phrase(calls, past=True))}."

    def failed(self, step: Step) -> str:
        phrase = self.phrase([step.call])
        if step.outcome == "no_answer":
            name = the(self.name(step.call.entity))
            return f"{capital(name)} did not answer; it is not certain whether it did {phrase}."
        detail = f": {step.detail}" if step.detail else ""
        return f"Could not {phrase}{detail}."

    def refused(self, verdict: Verdict) -> str:
        call, entity = verdict.call, self.entity(verdict.call.entity)
        name = the(self.name(call.entity))
        what = self.attribute(entity, verdict.key) if verdict.key else ""
        if entity.domain == "robot" and verdict.key in ("distance", "angle"):
            what = verdict.key
        of = f"The {what} of {name}" if what and verdict.key != "value" else capital(name)
        match verdict.outcome, verdict.reason:
            case "out_of_range", "step":
                step, value = number(verdict.step or 1), self._with_unit(verdict, verdict.value)
                return f"{of} goes in steps of {step}{verdict.unit}, so not {value}."
            case "out_of_range", _:
                low, high = (
                    "" if one is None else number(one) for one in (verdict.low, verdict.high)
                )
                value, unit = self._with_unit(verdict, verdict.value), self._unit(verdict.unit)
                return f"{of} can only be {low} to {high}{unit}, not {value}."
            case "absent", "entity":
                return f"There is no {call.entity}."
            case "absent", "option":
                value = self.value(entity, verdict.key, verdict.value or "")
                return f"There is no “{value}”."
            case "absent", "record":
                wanted = self.entry(dict(call.arguments)) if call.arguments else ""
                empty = f"There is nothing on {name} to cancel."
                return f"{capital(name)} has no {wanted}." if wanted else empty
            case "unsupported", "attribute":
                return f"{capital(name)} has no {what}, so that can't be set."
            case "unsupported", "option":
                known = ", ".join(self.value(entity, verdict.key, one) for one in verdict.options)
                value = self.value(entity, verdict.key, verdict.value or "")
                only = f", only {known}" if known else ""
                return f"{capital(name)} does not have {value}{only}."
            case "unsupported", "action":
                return f"{capital(name)} can't {self._action(call.action)}."
            case "not_now", "halted":
                return f"I was told to stop, so I did not {self.phrase([call])}."
            case "not_now", _:
                speed = number(verdict.speed or 0)
                order = self.phrase([call])
                return f"I can't {order} while driving (speed {speed}); please stop first."
        return f"{capital(name)} can't be set like that."

    @staticmethod
    def _unit(unit: str) -> str:
        return unit if unit in ("%", "°", "") else f" {unit}"

    def _with_unit(self, verdict: Verdict, value: object) -> str:
        assert is_number(value)
        assert isinstance(value, int | float)
        return amount(value, verdict.unit, " ")

    @staticmethod
    def _action(action: str) -> str:
        return next(
            (one.actions[action].english for one in DOMAINS.values() if action in one.actions),
            "do that",
        )

    def already(self, verdicts: Sequence[Verdict], state: State, others: int = 0) -> str:
        call = verdicts[0].call
        entity = self.entity(call.entity)
        names = [the(one) for one in self.names(one.call.entity for one in verdicts)]
        some, verb = capital(self.listed(names)), be(*names)
        if others:
            some = f"The other {len(names)}"
            verb = "is" if len(names) == 1 else "are"
        if verdicts[0].reason == "listed":
            return f"{some} already has “{self.entry(dict(call.arguments))}”."
        told = [
            f"{self.attribute(entity, key)} {self.value(entity, key, value)}"
            for key, value in call.arguments.items()
            if key not in ("mode", "value")
        ]
        if told:
            return f"{some} {verb} already at {', '.join(told)}."
        if entity.domain == "scene":
            return f"Everything is already as {names[0]} has it."
        return f"{some} {verb} already {self.is_now(call.entity, state)}."

    def planned(self, schedule: Schedule, now: datetime) -> str:
        orders = self.listed([self.phrase(group) for group in alike(schedule.calls)])
        when = self.moment_words(schedule, now)
        return f"{capital(when)} I will {orders}."

    def moment_words(self, schedule: Schedule, now: datetime) -> str:
        """When a schedule is due: in 10 minutes (19:40), tomorrow at 07:00, at sunset (17:05)."""
        at, when = schedule.at, parse_when(schedule.moment)
        if schedule.days != "once":
            return self.often(schedule.days, at)
        clock = self.day_words(at, now)
        if when.base == "said":
            return f"in {self.duration(when.seconds)} ({clock.removeprefix('at ')})"
        if when.base in ("sunset", "sunrise"):
            shift = self.duration(abs(when.seconds)) if when.seconds else ""
            side = " after " if when.seconds > 0 else " before " if when.seconds else "at "
            return f"{shift}{side}{when.base} ({clock.removeprefix('at ')})"
        return clock

    def often(self, days: str, at: datetime) -> str:
        return f"{self.listed([DAYS.get(one, one) for one in days.split(',')])} at {at:%H:%M}"

    def day_words(self, at: datetime, now: datetime) -> str:
        days = (at.date() - now.date()).days
        near = {0: "", 1: "tomorrow ", -1: "yesterday "}
        if days in near:
            return f"{near[days]}at {at:%H:%M}"
        if 0 < days < 7:
            return f"on {at:%A} at {at:%H:%M}"
        return f"on {at.day} {at:%B} at {at:%H:%M}"

    def rang(self, id: str, entry: Record) -> str:
        lead = {"timer": "Time is up", "alarm": "Alarm", "reminder": "Reminder", "calendar": "Now"}
        words = entry.get("text") or entry.get("title") or self.entry(entry)
        return f"{lead[id.partition('.')[0]]}: {words}."

    def sure(self, fact: Sure) -> str:
        orders = self.listed([self.phrase(group) for group in alike(fact.calls)])
        lead = "Undoing that will " if fact.undo else "Shall I "
        when = f" {self._when(fact.when, fact.days)}" if fact.when else ""
        others = self.listed([the(one) for one in self.names(fact.because)])
        because = f" (it opens or unlocks {others})" if others else ""
        return f"{lead}{orders}{when}{because}? Please confirm: yes or no."

    def _when(self, moment: str, days: str) -> str:
        when = parse_when(moment)
        if days != "once":
            return self.listed([DAYS.get(one, one) for one in days.split(",")])
        if when.base == "said":
            return f"in {self.duration(when.seconds)}"
        if when.base in ("sunset", "sunrise"):
            side = "at" if not when.seconds else "after" if when.seconds > 0 else "before"
            return f"{side} {when.base}"
        return f"at {moment}" if when.base == "time" else f"on {self.moment_text(moment)}"

    def asked(self, candidates: Sequence[str]) -> str:
        names = [the(self.candidate(one)) for one in candidates]
        return f"Which one: {self.listed(names, 'or')}?"

    def dropped(self, calls: Sequence[Call]) -> str:
        orders = self.listed([self.phrase(one) for one in alike(calls)], "or")
        return f"All right, I did not {orders}."

    def undone(self, fact: Undone, state: State) -> str:
        parts = []
        back = dict.fromkeys(
            id
            for one in fact.steps
            if one.outcome == "done"
            for id in one.after or (one.call.entity,)
        )
        if back:
            told = [self.is_so(id, state) for id in back]
            parts.append(f"Undone: {', '.join(told)}.")
        if fact.cancelled:
            parts.append("Cancelled what was planned.")
        parts += [self.failed(one) for one in fact.steps if one.outcome != "done"]
        for reason, words in (
            ("changed", "changed since and stays as it is"),
            ("gone", "is gone or can't be brought back"),
            ("for_good", "can't be taken back"),
        ):
            left = self.names(one.entity for one in fact.left if one.reason == reason)
            if left:
                parts.append(f"{capital(self.listed([the(one) for one in left]))} {words}.")
        return " ".join(parts) or "Everything is as before already."

    def learned(self, what: Memorized, *, forgotten: bool) -> str:
        lead = "Forgotten" if forgotten else "Got it"
        if isinstance(what, Nickname):
            return f"{lead}: {the(self.candidate(what.about))} is also called “{what.name}”."
        if isinstance(what, Routine):
            orders = self.listed([self.phrase(group) for group in alike(what.calls)])
            return f"{lead}: at “{what.name}” I {orders}."
        return f"{lead}: {what.name} {what.value}."

    def note(self, what: str) -> str:
        example = next(
            (one for one in self.world.entities if one.domain in ("light", "switch")), None
        )
        if what == "lost" and example is not None:
            return f"{NOTES[what]} Try: turn on {the(self.name(example.id))}."
        return NOTES[what]

    def absent(self, part: Absent) -> str:
        places = self.listed([the(self.place(one)) for one in part.places])
        thing = (
            f"“{part.words}”"
            if part.words
            else CLASSES.get(part.thing, part.thing or "such device")
        )
        return f"There is no {thing}{f' in {places}' if places else ' here'}."

    def unable(self, part: Unable) -> str:
        if not part.entity and not part.words:
            return "There is no device here that can help with that."
        who = the(self.name(part.entity)) if part.entity else "I"
        return f"{capital(who)} can't do that{f': “{part.words}”' if part.words else ''}."

    def clock(self, now: datetime, *, day: bool) -> str:
        if day:
            return f"It is {now:%A}, {now.day} {now:%B %Y}."
        return f"It is {now:%H:%M}."
