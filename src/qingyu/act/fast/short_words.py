"""The few words that need no model: yes, no, undo, what time is it, and which one of several.

decision("对，确认")                    # True
decision("别呼了，她在开会")             # False: nothing is done, so the safe way to err
decision("客厅灯开着吗")                 # None
chosen("书房的", ["light.study", "light.bedroom"], world)    # ("light.study",)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from qingyu.act.fast.agreeing import agrees
from qingyu.act.spoken.spelling import clauses, has_hanzi, simplified
from qingyu.act.understood import Clock, Undo
from qingyu.act.world import World, plain

_VERBS = (
    "转|去|开|走|发|打|拨|升|降|解锁|打开|开锁|开门|开始|做|来|继续|执行|跟|跟上|巡逻|回|回去|回充|切|切换|换|导航"
    "|放|启动|动|动手|办|弄|搞|松开|送|出发|充电|站|转身|倒"
)
_YES_ZH = re.compile(
    r"(?:嗯+|呃+|哦+|啊+|那)?(?:"
    r"(?:是|是滴|对|没错|好|行|可以|中|成|确认|确定|同意|没问题|当然|要|需要|嗯+|肯定|必须|得|妥|批准)+"
    rf"(?:(?:{_VERBS})(?:吧|啊|呀)?)?|(?:就|快|赶紧|现在|那就|马上)?(?:{_VERBS})(?:吧|啊|呀)?"
    r"|就这样|照做|照办|听你的|没错儿?|快点?"
    r")(?:的|吧|啊|呀|呢|哦|啦|嘞|哒|滴|呗|嘛)*"
)
_NO_ZH = re.compile(
    r"不|别|取消|算了|撤销|撤回|没事|停|免了|作罢|放弃"
    r"|等等|等一下|等会|慢着|甭|莫|拉倒|算啦|当我没说|错了|住手|先放|^(?:就|先|都|还是)*留着"
)
_YES_WORDS = frozenset(
    (
        *("yes", "yeah", "yep", "yup", "ya", "sure", "ok", "okay", "k", "right", "correct", "aye"),
        *("affirmative", "confirm", "confirmed", "fine", "good", "absolutely", "definitely"),
        *("certainly", "positive", "proceed", "alright", "agreed", "exactly", "indeed", "go"),
    )
)
_YES_PHRASES = re.compile(
    r"(?:please )?(?:do (?:it|that|so)|go (?:ahead|on|for it)|make it so|of course|all right"
    r"|by all means|i(?:'m| am) (?:sure|certain|positive)|that(?:'s| is) (?:right|correct|fine)"
    r"|you may|please do|carry on|why not|let's go|do)"
)
_FILLING = frozenset(
    (
        *("please", "do", "it", "that", "so", "ahead", "on", "the", "you", "may", "now", "thanks"),
        *("mate", "i'm", "i", "am", "sure", "confirm", "then", "just", "well", "um", "uh", "oh"),
        *("yes", "and", "for", "me", "robot"),
    )
)
_NO_EN = re.compile(
    r"\b(?:no|nope|nah|none|neither|keep|not|never|cancel|stop|abort|negative|forget|nevermind|wait|leave|undo|hold"
    r"|don'?t|doesn'?t|won'?t|scrap|skip|belay|drop)\b"
)
_ALL = re.compile(
    r"都|全|(?<!第)[两二三四五六]个|俩|仨|一[起块并齐锅]|每|所有|统|通通|一个[不也都]|各|有多少"
    r"|\b(?:both|all|every|each|either of them|the lot|everything|everyone|two|three|four|them"
    r"|together|pair|whole)\b"
)
_ASKS = re.compile(
    r"哪|(?<!那)谁|(?<![那个])啥|什么|怎么|为何|几[个盏]|(?<!有)多少(?!弄)|吗"
    r"|^(?:which|what|where|who|why)\b"
)
"""No answer, but a question."""
_PLACES = (
    (0, re.compile(r"第一|头一|前一?个|前者|\b(?:first|former|1st)\b")),
    (1, re.compile(r"第二|后者|\b(?:second|2nd)\b")),
    (2, re.compile(r"第三|\b(?:third|3rd)\b")),
    (3, re.compile(r"第四|\b(?:fourth|4th)\b")),
    (-1, re.compile(r"最后|\b(?:last|latter)\b")),
)
_ORDER = re.compile(
    r"(?:请|帮我|麻烦)?(?:打开|开|关|把|将|调|设|放|停|锁|让|给|播|换|取消|提醒)"
    r"|(?:please |can you |could you )?"
    r"(?:turn|switch|set|open|close|shut|play|pause|stop|start|lock|unlock|dim|put|make|mute|send"
    r"|call|add|remove|cancel|remind)\b"
)
_UNDO = re.compile(
    r"(?:撤销|撤回|撤消|还原|恢复原样|恢复原状|复原|改回去|变回去"
    r"|(?:取消|撤销|撤回|恢复)(?:刚才|刚刚|上一步|上一个|前面)的?"
    r"(?:操作|动作|指令|命令)?"
    r"|undo|undo (?:it|that|this|the last (?:thing|one|step|action))|revert(?: (?:it|that))?"
    r"|(?:take|put) (?:it|that) back|put (?:it|that) back (?:as|the way|how) it was"
    r"|change it back)"
)
_TIME = re.compile(
    r"(?:现在|目前)?(?:是)?(?:几点|什么时间|什么时候|几点几分)(?:了|钟)*"
    r"|(?:报时|报一下时|看下时间|几点啦)"
    r"|what(?:'s| is) the time(?: now)?|what time is it(?: now)?|(?:tell me |do you have )?the time"
)
_DAY = re.compile(
    r"(?:今天|今儿)(?:是)?(?:几号|几月几号|多少号|星期几|周几|礼拜几|什么日子)"
    r"|what(?:'s| is) (?:the date|today's date|the day)(?: today)?"
    r"|what (?:day|date) is (?:it|today)(?: today)?"
)


def decision(text: str) -> bool | None:
    """Whether somebody who was asked says yes, no, or something else.

    Where a no is in it, it is no: what is not done can still be done.
    """
    parts = _parts(text)
    if not parts:
        return None
    whole = " ".join(parts)
    if _NO_ZH.search(whole) or _NO_EN.search(whole):
        if _begins_no(parts[0]):
            return False if len(re.sub(r"[a-z' ]+", "x", parts[0])) <= 12 else None
        return False if _length(whole) <= 5 else None
    if not _is_yes(parts[0]) or not agrees(text):
        return None
    rest = parts[1:]
    return True if _length("".join(rest)) <= 4 or all(map(_is_yes, rest)) else None


def _parts(text: str) -> list[str]:
    """The pieces between marks, with nothing cleaned away: "好吧" must stay."""
    pieces = re.split(r"[,.;:!?，。；：！？、…~\n]+", simplified(text).casefold())
    return [one for one in (" ".join(piece.split()) for piece in pieces) if one]


def _length(text: str) -> float:
    """In words, more or less."""
    hanzi = len(re.findall(r"[\u3400-\u9fff]", text))
    return len(re.findall(r"[a-z']+", text)) + hanzi / 1.5


def _begins_no(part: str) -> bool:
    return bool(_NO_ZH.match(part) or _NO_EN.match(part) or _NO_ZH.search(part[:4]))


def _is_yes(part: str) -> bool:
    if _YES_ZH.fullmatch(part.replace(" ", "")):
        return True
    if _YES_PHRASES.fullmatch(part):
        return True
    words = part.split()
    fits = all(one in _YES_WORDS or one in _FILLING for one in words)
    return fits and any(one in _YES_WORDS for one in words)


def after_no(text: str) -> str:
    """What is said beyond a no: "打开台灯" of "不，打开台灯"; "" where that is all."""
    found = re.match(r"\s*[^,;，；。.!！]{1,12}?[,;，；。.!！]\s*(.+)", text, re.DOTALL)
    return found[1] if found else ""


_NOT_THIS = re.compile(
    r"(?:[啊哦噢呃嗯唉哎不]|不对)*(?:不是|不要|不用|别动|别管)(?P<zh>.{2,}?)"
    r"|(?:全部?|所有的?|都)?除了?(?P<but>.{2,}?)(?:之外|以外|外)?(?:的?都.*)?"
    r"|(?:all|both|any|every(?:thing|one)|anything) (?:of them )?(?:but|except)(?: for)?"
    r" (?P<except>.{3,})"
    r"|(?P<kept>.{2,}?)(?:就|先|给我)?(?:不动|别动|不用动|不用|不要|不管|留着|别管|除外)[了吧啊呀哈的]?"
    r"|(?:(?:no|oh|um|uh|well) )*(?:not|leave|keep|skip|don't (?:mean|touch)) (?P<en>.{3,}?)"
    r"(?: (?:alone|on|off|as (?:it|they) (?:is|are)))?"
)
_PLAIN_NO = re.compile(r"(?:no|nope|nah)\b *|不[对不]*$")
_SAID_NEXT = re.compile(
    r"(?:是|要|而是|要的是|我要|我说的是|我是说|说的是)|(?:but|i (?:mean|meant|want)|it's) "
)


def without_refused(text: str) -> tuple[str, str]:
    """What an answer to "which one" chooses and what it says is not meant: ("卧室的", "书房的") of
    "不是书房的，是卧室的"."""
    meant, refused = [], []
    parts = _parts(text)
    if parts and (plain_no := _PLAIN_NO.match(parts[0])) and plain_no[0] != "".join(parts):
        refused.append("no")
        parts = [one for one in (parts[0][plain_no.end() :], *parts[1:]) if one]
    for part in parts:
        found = _NOT_THIS.fullmatch(part)
        if found is None:
            meant.append(part[match.end() :] if (match := _SAID_NEXT.match(part)) else part)
        else:
            refused.append(next(one for one in found.groups() if one))
    return ",".join(meant), ",".join(refused)


def asks_back(text: str) -> bool:
    """Whether the answer to "which one" is a question."""
    return bool(_ASKS.search(simplified(text).casefold()))


def speaks_of_all(text: str) -> bool:
    """Whether an answer to "which one" says all of them, or two of them."""
    return bool(_ALL.search(simplified(text).casefold()))


def corrects(text: str, candidates: Sequence[str], world: World) -> bool:
    """Whether what looks like a no only says which one is not meant."""
    return bool(without_refused(text)[1]) and bool(chosen(text, candidates, world))


def begins_as_order(text: str) -> bool:
    """Whether a sentence begins as an order does, and not as the answer to "which one"."""
    return bool(_ORDER.match(simplified(text).casefold().strip()))


def short_order(text: str) -> Undo | Clock | None:
    """Undo, and the questions after time and day."""
    said = " ".join(clauses(text))
    if _UNDO.fullmatch(said.casefold()):
        return Undo()
    whole = " ".join(_parts(text)).removeprefix("请问").strip()
    if _TIME.fullmatch(whole):
        return Clock(day=False)
    return Clock(day=True) if _DAY.fullmatch(whole) else None


_DONE = re.compile(
    r"(?:我|你)?(?:刚才|刚刚|方才)(?:让你|叫你|我|你|是)*"
    r"(?:把)?(?:开|关|打开|关掉|关上|弄|做|干|动|调|改|设|换|操作)(?:的|了|过)?(?:是)?(?:个)?(?:什么|啥|哪|哪个|哪些)"
    r"|\bwhat (?:was it |exactly |is it |it was )?(?:that )?(?:did|have|had|was) ?(?:it |that )?"
    r"(?:i|you) (?:just|only just)\b"
    r"|\b(?:what (?:was it|exactly was it)|(?:tell me|i forg[eo]t|forgotten|not sure|no idea"
    r"|(?:do you|don't|can't|can you) (?:know|remember|recall)) what)(?: exactly| it was)?"
    r"(?: that)? (?:i|you)(?:'ve)? just (?:had|have|got|asked|told|did"
    r"|done|do|turned|switched|changed|set|opened|closed)\b"
    r"|\bwhich (?:one |light |lamp )?(?:did|have) (?:i|you) just\b"
)
_ANY_OF_IT = re.compile(r"不管|无论|不论")
"""Whatever was done, something else is to be done now."""


def asks_what_was_done(text: str) -> bool:
    """Whether somebody wants to know what was just done: 我刚才开的是什么灯."""
    said = simplified(text).casefold()
    asked = _DONE.search(said) is not None and _ANY_OF_IT.search(said) is None
    return asked and not begins_as_order(text)


def chosen(text: str, candidates: Sequence[str], world: World) -> tuple[str, ...]:
    """Those of the candidates that an answer names; () where it names none.

    By name, by area or floor, by a part of a name that only one of them has, by place in the
    order they were told in, or all of them; of "not A, B" B, of "leave A" the others.
    """
    if asks_back(text):
        return ()
    meant, refused = without_refused(text)
    if refused:
        if meant and decision(meant) is not False and _length(meant) <= 6:
            return chosen(meant, candidates, world)
        without = chosen(refused, candidates, world)
        return tuple(one for one in candidates if one not in without) if without else ()
    said = plain(simplified(text))
    words = {one: world.names_of(one) for one in candidates}
    # A word within another one's ("灯" in "台灯") is not said by itself.
    found = {one: {word for word in known if _within(word, said)} for one, known in words.items()}
    picked = _best(found)
    if len(picked) == len(candidates) > 1:
        picked = ()
    if not picked and _ALL.search(said):
        return tuple(candidates)
    if not picked:
        for place, pattern in _PLACES:
            if pattern.search(said) and place < len(candidates):
                return (candidates[place],)
    if not picked and len(said) <= 24:
        picked = _best({one: _parts_said(one, words, said) for one in candidates})
        picked = () if len(picked) == len(candidates) > 1 else picked
    return picked


def _best(found: dict[str, set[str]]) -> tuple[str, ...]:
    """Those with a word that no other has; else those with any, the most letters winning."""
    alone = [
        one
        for one, words in found.items()
        if words - set().union(*(other for id, other in found.items() if id != one))
    ]
    if len(alone) > 1:  # "书桌灯" says "灯" too: what lies within a longer word does not count
        everything = set().union(*found.values())
        outer = {
            word
            for word in everything
            if not any(word != other and word in other for other in everything)
        }
        alone = [one for one in alone if found[one] & outer] or alone
    return tuple(alone or (one for one, words in found.items() if words))


def _within(word: str, said: str) -> bool:
    if has_hanzi(word):
        return word in said
    return bool(re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", said))


def _parts_said(one: str, words: dict[str, set[str]], said: str) -> set[str]:
    """Parts of a candidate's names that are said and belong to no other candidate."""
    own = set(_pieces(words[one]))
    for other, known in words.items():
        if other != one:
            own -= set(_pieces(known))
    return {piece for piece in own if _within(piece, said)}


_COMMON = frozenset(
    (
        *("the", "a", "an", "of", "in", "on", "at", "one", "room", "light", "lamp", "that", "this"),
        *("s", "is", "it"),
    )
)
_COMMON_ZH = frozenset("的个那这一灯间房是在要开关打把里边")


def _pieces(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        yield from (one for one in re.findall(r"[a-z0-9]+", name) if one not in _COMMON)
        for run in re.findall(r"[\u3400-\u9fff]+", name):
            for start in range(len(run)):
                for end in range(start + 1, len(run) + 1):
                    piece = run[start:end]
                    if not set(piece) <= _COMMON_ZH:
                        yield piece
