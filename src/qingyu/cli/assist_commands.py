"""What a line beginning with a slash does in `qingyu assist`.

commands = Commands(assistant, "den")
commands.run("/state den")      # False when the conversation is over
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qingyu.cli import common, layout
from qingyu.cli.assist_view import call_words, schedule_row, show, state_rows
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.act.assistant import Assistant
    from qingyu.act.records.memory import Memorized


def help_rows() -> list[tuple[str, str]]:
    """Every command with what it does, in the language in force."""
    return [
        ("/undo", pick("take back the last thing done", "撤销上一步")),
        ("/state [AREA|NAME]", pick("how everything is", "所有设备的状态")),
        ("/schedules", pick("what is planned", "待执行的定时")),
        ("/schedules cancel N", pick("plan it no more", "取消一个定时")),
        ("/memory", pick("what was taught", "教过的内容")),
        ("/memory forget N|all", pick("forget it for good", "彻底忘记")),
        ("/journal", pick("what was done lately", "最近执行的操作")),
        ("/speaker [AREA]", pick("show or change where you are", "显示或更改你所在的区域")),
        ("/help", pick("this list", "本列表")),
        ("/quit", pick("leave; so does Ctrl-D", "退出，Ctrl-D 亦可")),
    ]


class Commands:
    """area: where the person is, an id or ""."""

    def __init__(self, assistant: Assistant, area: str) -> None:
        self._assistant = assistant
        self.area = area

    def run(self, line: str) -> bool:
        """Run one command; False when it ends the conversation.

        Raises QingyuError with what to do instead when it cannot be done.
        """
        name, _, argument = line[1:].strip().partition(" ")
        if name in ("quit", "exit", "bye"):
            return False
        known = {
            "undo": self.undo,
            "state": self.state,
            "schedules": self.schedules,
            "memory": self.memory,
            "journal": self.journal,
            "speaker": self.speaker,
            "help": self.help,
        }
        if name not in known:
            raise InvalidRequestError(
                pick(f"no command /{name}; /help lists them", f"没有命令 /{name}；/help 列出全部")
            )
        known[name](argument.strip())
        return True

    def undo(self, _: str) -> None:
        show(self._assistant.undo(self.area), self._assistant.world)

    def state(self, only: str) -> None:
        rows = state_rows(self._assistant, only)
        if not rows:
            raise InvalidRequestError(
                pick(f"there is no area or device {only!r}", f"没有名为 {only!r} 的区域或设备")
            )
        print("\n".join(common.printable(one) for one in layout.table(rows)))

    def schedules(self, argument: str) -> None:
        verb, _, number = argument.partition(" ")
        if verb == "cancel":
            cancelled = self._assistant.schedules.cancel(_number(number))
            common.notice(pick(f"cancelled: {cancelled.text}", f"已取消：{cancelled.text}"))
            return
        rows = [schedule_row(one) for one in self._assistant.schedules.list()]
        if rows:
            print("\n".join(common.printable(one) for one in layout.table(rows)))
        else:
            common.notice(pick("nothing is planned", "没有定时"))

    def memory(self, argument: str) -> None:
        verb, _, which = argument.partition(" ")
        if verb == "forget" and which == "all":
            for one in self._assistant.memory.list():
                self._assistant.forget(one.id)
        elif verb == "forget":
            self._assistant.forget(_number(which))
        rows = [_memory_row(one) for one in self._assistant.memory.list()]
        if rows:
            print("\n".join(common.printable(one) for one in layout.table(rows)))
        else:
            common.notice(pick("nothing is remembered", "没有记住任何内容"))

    def journal(self, _: str) -> None:
        rows = [
            (f"{one.turn.at:%m-%d %H:%M}", one.turn.text, call_words(one.call), one.outcome)
            for one in self._assistant.journal.list(limit=20)
        ]
        if rows:
            print("\n".join(common.printable(one) for one in layout.table(rows)))
        else:
            common.notice(pick("nothing was done yet", "还没有执行过操作"))

    def speaker(self, given: str) -> None:
        from qingyu.cli.assist import speaking_area

        if given:
            self.area = speaking_area(self._assistant.world, given)
        common.notice(self.area or "-")

    def help(self, _: str) -> None:
        common.notice("\n".join(layout.two_columns(help_rows(), total=80)))


def _number(text: str) -> int:
    """Raises InvalidRequestError for what is none."""
    if not text.strip().isdecimal():
        raise InvalidRequestError(pick(f"{text!r} is no number", f"{text!r} 不是编号"))
    return int(text)


def _memory_row(one: Memorized) -> tuple[str, ...]:
    from qingyu.act.records.memory import Nickname, Preference

    if isinstance(one, Nickname):
        return (str(one.id), one.name, one.about)
    if isinstance(one, Preference):
        return (str(one.id), one.name, f"{one.about} {one.value}".strip())
    return (str(one.id), one.name, "; ".join(call_words(call) for call in one.calls))
