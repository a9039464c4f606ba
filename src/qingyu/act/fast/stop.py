"""Whether somebody tells a robot to stop: in any wording, for stopping is never wrong.

stopping = Stopping(world)                  # with a robot that is called 七号
stopping.is_said("七号 停车")               # True
stopping.is_said("停一下音乐")              # False: something else is to stop
"""

from __future__ import annotations

import re

from qingyu.act.spoken.spelling import simplified
from qingyu.act.world import World, plain

_ZH = re.compile(
    r"(?:快|给我|赶紧|赶快|马上|立刻|立即|都|先|全|你|喂|哎|嘿|呃|嗯|紧急)*"
    r"(?:(?:停|站住|停下|停住|停车|停步|急停|刹车|刹住|别动|不要动|不许动|别走|不要走|不准动|立定|打住|住手|住脚"
    r"|停止|止步|定住|站着别动|原地别动|停停|暂停|停一哈|停一停|急刹)"
    r"(?:来|一下|下|住|了|吧|啊|呀|嘛|哈|撒|哦|喽|行动|移动|前进|运动)*)+"
)
_EN = re.compile(
    r"(?:(?:hey|whoa|woah|no|just|ok|please|now|robot|immediate|emergency|full)\s+)*"
    r"(?:(?:stop|halt|freeze|whoa|woah|brakes?|hold it|stand still|stay still|stay put|pull up"
    r"|do(?:n't| not) move|quit moving|stop moving|stop walking|cease all movement"
    r"|cease movement|hit the brakes|stop right there|stop there|stop it)"
    r"(?:\s+(?:now|right now|right there|there|immediately|at once|please|moving|it|stop))*\s*)+",
    re.IGNORECASE,
)


class Stopping:
    """robots: of the household; without any there is nothing to stop."""

    def __init__(self, world: World) -> None:
        self.robots = world.select(domain="robot")
        self._names = [plain(simplified(name)) for one in self.robots for name in one.names]

    def is_said(self, clause: str) -> bool:
        """Whether a cleaned clause, but for the name of a robot at an end, is nothing but a stop.
        The name of anything else says that this is to stop ("暂停音箱")."""
        text = clause.casefold().strip()
        if not self.robots or _matches(text):
            return bool(self.robots)
        for name in self._names:
            if text.startswith(name) or text.endswith(name):
                rest = text.removeprefix(name) if text.startswith(name) else text.removesuffix(name)
                if _matches(rest.strip()):
                    return True
        return False


def _matches(text: str) -> bool:
    return bool(_ZH.fullmatch(text.replace(" ", "")) or _EN.fullmatch(text))
