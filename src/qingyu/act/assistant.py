"""One household and the people who speak to it: from a sentence to what is done and answered.

    assistant = Assistant(world, Simulator(world), database)
    assistant.say("打开台灯", speaker="study").text         # "已打开台灯。"
    assistant.undo()
    assistant.tick()                                        # fire what is due; or start() a thread

A conversation belongs to a speaker: the area where the person is, or any other name of one.
Understanding: fast path first, then a skill model if there is one; conversation goes to a chat
model if there is one. Any thread may call anything; the household does one thing at a time.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from qingyu.act.answers import Answer, Fired, Language, Path, Step
from qingyu.act.calls import Call, Verdict
from qingyu.act.carrying import Carrier
from qingyu.act.devices import Devices
from qingyu.act.dialogue import Choice, Confirm, Dialogue
from qingyu.act.facts import Dropped, Fact, Note, Rang, Said
from qingyu.act.fast.agreeing import after_no, agrees, contradicts, decision
from qingyu.act.fast.choosing import chosen, corrects
from qingyu.act.fast.short_words import asks_what_was_done, begins_as_order
from qingyu.act.forms.context import context_line
from qingyu.act.hearing import Heard, Hearing, Skill
from qingyu.act.records.database import Database
from qingyu.act.records.journal import Entry, Journal, Who
from qingyu.act.records.memory import LONGEST, Memory
from qingyu.act.records.schedules import Schedule, Schedules
from qingyu.act.replies.reply import reply
from qingyu.act.ringing import RINGING, follow, removals, rung_entry
from qingyu.act.state import State
from qingyu.act.talk import Chat
from qingyu.act.turn import Records, Turn
from qingyu.act.understood import Do, No, Talk, Undo, Yes
from qingyu.act.world import World, plain
from qingyu.errors import ActionError, InvalidRequestError, QingyuError
from qingyu.text import language as usual_language
from qingyu.text import pick

__all__ = ["Answer", "Assistant", "Fired", "Skill"]
_LOG = logging.getLogger(__name__)
_LONGEST_WAIT = 30.0
"""Seconds the thread sleeps at most: the clock of the machine may be put forward."""
_MOST_SPEAKERS = 100
LONGEST_SENTENCE = 500
"""Characters; a longer text is no order, and would take templates long to look at."""
_ABANDONED = timedelta(minutes=1)
"""A call begun so long ago and not finished was ended by a kill."""


class Assistant:
    """world: as its file says. devices: of this world. skill, chat: models; None for none.
    clock: local time without a zone."""

    def __init__(
        self,
        world: World,
        devices: Devices,
        database: Database,
        *,
        skill: Skill | None = None,
        chat: Chat | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.devices = devices
        self.journal = Journal(database)
        self.schedules = Schedules(database)
        self.memory = Memory(database)
        self._given, self._skill, self._chat, self._clock = world, skill, chat, clock
        self._lock = threading.RLock()
        self._dialogues: dict[str, Dialogue] = {}
        self._stops = 0
        """How often a robot was told to stop: what was asked for before moves it no more."""
        self._seen = 0
        """How often before the sentence that is being done."""
        self._listeners: list[Callable[[Fired], None]] = []
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.schedules.recover()
        self._learn_names()

    @property
    def world(self) -> World:
        """The household with the nicknames that were taught."""
        return self._world

    def state(self) -> State:
        return self.devices.state()

    def say(
        self,
        text: str,
        speaker: str = "",
        language: Language | None = None,
        *,
        turn: int | None = None,
    ) -> Answer:
        """What comes of a sentence. language: of the reply; the sentence's where it is None.
        turn: of the answer that this one answers, for a button that must not say yes to another.

        Raises RecordsError where the database cannot be written, and InvalidRequestError where
        something else was said since that turn; then nothing was done.
        """
        text = text.strip()
        too_long = len(text) > LONGEST_SENTENCE
        halted = not too_long and self._hearing.is_halt(text)
        if halted:
            self._stops += 1
            if self._is_busy():
                # What is being done may take its time: a stop does not wait for it.
                for robot in self._given.select(domain="robot"):
                    self.devices.carry_out(Call("stop", robot.id))
        seen = self._stops
        with self._lock:
            self._seen = seen
            if turn is not None and not halted and turn != self._dialogue(speaker).turns:
                raise InvalidRequestError(
                    pick(
                        "something else was said meanwhile; nothing was done",
                        "期间又说了别的话；没有执行",
                    ),
                    param="turn",
                )
            if too_long:
                dialogue = self._dialogue(speaker)
                dialogue.waiting = None
                return self._note(Note("too_long"), dialogue, time.perf_counter())
            return self._say(text, speaker, language, time.perf_counter())

    def _is_busy(self) -> bool:
        """Whether another thread has the household do something."""
        if not self._lock.acquire(blocking=False):
            return True
        self._lock.release()
        return False

    def undo(self, speaker: str = "", language: Language | None = None) -> Answer:
        """Take back the last turn that did or planned something."""
        with self._lock:
            begun, dialogue = time.perf_counter(), self._dialogue(speaker)
            self._seen = self._stops
            dialogue.language = language or dialogue.language
            dialogue.waiting = None
            heard = Heard((Undo(),), "rule")
            return self._answer(self._turn("undo", dialogue, heard), heard, dialogue, begun)

    def _dialogue(self, speaker: str) -> Dialogue:
        if speaker not in self._dialogues and len(self._dialogues) >= _MOST_SPEAKERS:
            del self._dialogues[next(iter(self._dialogues))]
        return self._dialogues.setdefault(speaker, Dialogue(language=usual_language()))

    def _say(self, text: str, speaker: str, language: Language | None, begun: float) -> Answer:
        dialogue, now = self._dialogue(speaker), self._clock()
        dialogue.begin_turn(now)
        dialogue.language = language or self._hearing.language_of(text, dialogue.language)
        if not text:
            return self._note(Note("quiet"), dialogue, begun)
        waiting = dialogue.take_waiting(now)
        halt = self._hearing.is_halt(text)
        if waiting is None and dialogue.done and asks_what_was_done(text):
            return self._note(Said(dialogue.done), dialogue, begun)
        if waiting is not None and not halt:
            answered = self._answered(text, speaker, dialogue, waiting, now, begun)
            if answered is not None:
                return answered
        heard = self._hear(text, speaker, dialogue, now, waiting, halt=halt)
        if waiting is not None:
            said = {type(one) for one in heard.parts}
            if isinstance(waiting, Confirm) and said == {Yes}:
                if not agrees(text):  # asked once more
                    heard = Heard((Undo(),) if waiting.undo else waiting.orders, heard.path)
                    waiting = None
                elif not self._hearing.goes_beyond(text, waiting.orders, self.state(), now):
                    return self._confirmed(text, dialogue, waiting, heard.path, begun)
            elif said == {No}:
                return self._refused(text, dialogue, waiting, heard.path, begun)
            elif isinstance(waiting, Choice) and heard.form.startswith("pick"):
                heard = dataclasses.replace(heard, parts=(*waiting.rest, *heard.parts))
                waiting = None
        turn = self._turn(text, dialogue, heard, dropped=waiting)
        return self._answer(turn, heard, dialogue, begun)

    def _hear(
        self,
        text: str,
        speaker: str,
        dialogue: Dialogue,
        now: datetime,
        waiting: Confirm | Choice | None,
        *,
        halt: bool,
    ) -> Heard:
        short = not halt and len(plain(text)) <= LONGEST
        routine = self.memory.routine_called(text) if short else None
        if routine is not None:
            return Heard((Do(routine.calls),), "rule")
        pending = "confirm" if isinstance(waiting, Confirm) else "which" if waiting else ""
        context = f"{dialogue.context or '|'} {pending}" if pending else dialogue.context
        area = self._area(speaker)
        return self._hearing.hear(
            text, self.state(), speaker=area, now=now, focus=dialogue.focus, context=context
        )

    def _answered(
        self,
        text: str,
        speaker: str,
        dialogue: Dialogue,
        waiting: Confirm | Choice,
        now: datetime,
        begun: float,
    ) -> Answer | None:
        """The answer to what was asked back, which a yes to "which one" is not; None for none."""
        decided = decision(text)
        asked = waiting.which.candidates if isinstance(waiting, Choice) else ()
        if decided is False and not (asked and corrects(text, asked, self._world)):
            rest = after_no(text)
            if rest and self._hearing.fast(rest, self.state(), self._area(speaker), now):
                return None
            return self._refused(text, dialogue, waiting, "rule", begun)
        if isinstance(waiting, Confirm):
            if not decided or self._says_more(text, speaker, waiting, now):
                return None
            return self._confirmed(text, dialogue, waiting, "rule", begun)
        picked = chosen(text, asked, self._world)
        if begins_as_order(text) and self._is_other(text, speaker, asked, now):
            picked = ()
        if not picked and not decided:
            return None
        parts = waiting.which.again(picked) if picked else (waiting.which,)
        heard = Heard((*waiting.rest, *parts), "rule")
        return self._answer(self._turn(text, dialogue, heard), heard, dialogue, begun)

    def _area(self, speaker: str) -> str:
        return speaker if self._world.area(speaker) is not None else ""

    def _says_more(self, text: str, speaker: str, waiting: Confirm, now: datetime) -> bool:
        """Whether beside a yes there is an order of its own, or another thing or time is spoken of
        ("yes, the back door"; "yes, at ten"), so that it was no yes to this."""
        asked = tuple({call.entity for call in waiting.calls})
        rest = after_no(text)
        return (
            bool(rest and self._is_other(rest, speaker, asked, now))
            or contradicts(rest, {call.action for call in waiting.calls})
            or self._hearing.goes_beyond(text, waiting.orders, self.state(), now)
        )

    def _is_other(
        self, text: str, speaker: str, candidates: tuple[str, ...], now: datetime
    ) -> bool:
        """Whether a sentence is an order of its own, for something that was no candidate."""
        for part in self._hearing.fast(text, self.state(), self._area(speaker), now):
            if isinstance(part, Do):
                return any(call.entity not in candidates for call in part.calls)
            return True
        return False

    def _confirmed(
        self, text: str, dialogue: Dialogue, waiting: Confirm, path: Path, begun: float
    ) -> Answer:
        heard = Heard(waiting.orders, path)
        turn = self._start(text, dialogue, heard)
        if waiting.undo:
            turn.undo(waiting.calls)
        else:
            turn.process(waiting.orders, confirmed=True)
        return self._answer(turn, heard, dialogue, begun)

    def _refused(
        self, text: str, dialogue: Dialogue, waiting: Confirm | Choice, path: Path, begun: float
    ) -> Answer:
        heard = Heard((No(),), path)
        turn = self._start(text, dialogue, heard)
        turn.drop(waiting)
        return self._answer(turn, heard, dialogue, begun)

    def _start(self, text: str, dialogue: Dialogue, heard: Heard) -> Turn:
        records = Records(self._world, self._carrier, self.journal, self.schedules, self.memory)
        who: Who = "model" if heard.path == "model" else "fast"
        seen = self._seen
        return Turn(
            records,
            dialogue,
            text=text,
            who=who,
            now=self._clock(),
            halted=lambda: self._stops != seen,
        )

    def _turn(
        self,
        text: str,
        dialogue: Dialogue,
        heard: Heard,
        dropped: Confirm | Choice | None = None,
    ) -> Turn:
        turn = self._start(text, dialogue, heard)
        if isinstance(dropped, Confirm):
            turn.drop(dropped)
        if heard.parts and any(not isinstance(one, Talk) for one in heard.parts):
            turn.process(heard.parts)
        else:
            turn.facts.append(self._talk(text, dialogue.language, bool(heard.parts)))
        return turn

    def _talk(self, text: str, language: Language, is_talk: bool) -> Fact:
        """The chat model's words, else that there is none or that nothing was understood."""
        if self._chat is not None:
            try:
                return Said(self._chat.answer(text, language))
            except QingyuError as error:
                return Said(str(error))
        return Note("talk" if is_talk else "lost")

    def _note(self, fact: Note | Said, dialogue: Dialogue, begun: float) -> Answer:
        heard = Heard((), "rule" if isinstance(fact, Said) else "none")
        turn = self._start("", dialogue, heard)
        turn.facts.append(fact)
        return self._answer(turn, heard, dialogue, begun)

    def _answer(self, turn: Turn, heard: Heard, dialogue: Dialogue, begun: float) -> Answer:
        if turn.taught:
            self._learn_names()
        if {one.call.entity.partition(".")[0] for one in turn.steps} & set(RINGING):
            follow(self.schedules, self._world, self.state(), self._clock(), text=turn.text)
            self._wake.set()
        if turn.planned:
            self._wake.set()
        pending = dialogue.pending()
        dialogue.turns += 1
        dialogue.focus = dialogue.focus.after(heard.parts)
        dialogue.context = context_line(heard.form, heard.parts, self._world, "")
        path = heard.path
        if self._chat is not None and any(isinstance(one, Said) for one in turn.facts):
            path = "talk" if not turn.steps else path
        waiting = dialogue.waiting
        text = reply(turn.facts, self._world, self.state(), dialogue.language, now=self._clock())
        if turn.steps or turn.planned:
            dialogue.done = text
        return Answer(
            text=text,
            language=dialogue.language,
            path=path,
            form=heard.form,
            verdicts=tuple(turn.verdicts),
            steps=tuple(turn.steps),
            planned=tuple(turn.planned),
            pending=pending,
            candidates=waiting.which.candidates if isinstance(waiting, Choice) else (),
            dropped=turn.dropped,
            seconds=time.perf_counter() - begun,
            turn=dialogue.turns,
        )

    def _learn_names(self) -> None:
        """Build anew what knows names."""
        self._world = self.memory.extended(self._given)
        self._hearing = Hearing(self._world, self._skill, [one.name for one in self.memory.list()])
        self._carrier = Carrier(self._world, self.devices, self.journal)

    def use_world(self, world: World) -> None:
        """The household has changed: devices were found or are gone."""
        with self._lock:
            self._given = world
            self._learn_names()

    def forget(self, id: int) -> None:
        """Forget a thing that was taught. Raises InvalidRequestError where there is none such."""
        with self._lock:
            self.memory.forget(id)
            self._learn_names()

    # What happens by itself.

    def tick(self, now: datetime | None = None) -> tuple[Fired, ...]:
        """Fire the schedules that are due, and tell those who listen."""
        fired: list[Fired] = []

        def carry_out(schedule: Schedule) -> str:
            moment = now or self._clock()
            calls = schedule.calls
            if schedule.rings:
                calls = removals(schedule, self.schedules, self._world, self.state())
            entered = self.journal.turn(who="schedule", text=schedule.text, at=moment)
            seen = self._stops
            results: list[Step | Verdict] = [
                self._carrier.carry_out(
                    lambda: entered,
                    call,
                    confirmed=schedule.confirmed,
                    halted=lambda: self._stops != seen,
                )
                for call in calls
            ]
            one = self._fired(schedule, results, moment)
            fired.append(one)
            stopped = [each for each in one.verdicts if each.outcome not in ("fine", "already")]
            if stopped or any(each.outcome != "done" for each in one.steps):
                raise ActionError(one.text)
            return one.text

        with self._lock:
            moment = now or self._clock()
            follow(self.schedules, self._world, self.state(), moment)
            if self.schedules.fire(moment, carry_out):
                follow(self.schedules, self._world, self.state(), moment)
        for one in fired:
            for listener in tuple(self._listeners):
                try:
                    listener(one)
                except Exception:
                    _LOG.exception("a listener failed")
        return tuple(fired)

    def _fired(self, schedule: Schedule, results: list[Step | Verdict], now: datetime) -> Fired:
        language = self._hearing.language_of(schedule.text, usual_language())
        # What was harmless when it was planned and is no more: nobody said yes to it.
        facts: list[Fact] = [
            Dropped((one.call,)) if isinstance(one, Verdict) and one.outcome == "risky" else one
            for one in results
        ]
        if schedule.rings:
            facts = [Rang(*rung_entry(schedule))]
        return Fired(
            schedule=schedule,
            text=reply(facts, self._world, self.state(), language, now=now),
            verdicts=tuple(one for one in results if isinstance(one, Verdict)),
            steps=tuple(one for one in results if isinstance(one, Step)),
        )

    def listen(self, callback: Callable[[Fired], None]) -> Callable[[], None]:
        """Call back after a schedule fired, from the thread that fired it. The result ends it."""
        self._listeners.append(callback)

        def end() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return end

    def news(self) -> tuple[Schedule | Entry, ...]:
        """What went wrong while nobody looked, told once: schedules that were missed, failed or
        may have happened, and calls that a kill ended in the middle."""
        with self._lock:
            schedules = self.schedules.news()
            self.schedules.told(schedules)
            now = self._clock()
            left = [one for one in self.journal.unfinished() if now - one.turn.at >= _ABANDONED]
            self._carrier.close_unfinished([one.id for one in left], self.state())
            return (*schedules, *left)

    def start(self) -> None:
        """Fire schedules from a thread until `close`."""
        assert self._thread is None
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            wait = _LONGEST_WAIT
            # A full disk now, or a bug of ours, must not end what is planned for later.
            try:
                self.tick()
                due = self.schedules.next_due()
                if due is not None:
                    wait = min(wait, max(0.0, due.timestamp() - self._clock().timestamp()))
            except QingyuError as error:
                _LOG.warning("schedules: %s", error)
            except Exception:
                _LOG.exception("schedules")
            self._wake.wait(wait)

    def close(self) -> None:
        """End the thread; devices and database stay the caller's."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
