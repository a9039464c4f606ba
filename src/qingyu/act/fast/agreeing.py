"""Yes and no: what a person answers who was asked whether something is to be done.

decision("对，确认")           # True
decision("别呼了，她在开会")    # False: nothing is done, so the safe way to err
decision("客厅灯开着吗")        # None
agrees("还用问吗，赶紧")        # True: it can be a yes at all
agrees("who is it")            # False: whatever a model makes of it, the door stays locked
"""

from __future__ import annotations

import re

from qingyu.act.spoken.spelling import has_hanzi, simplified

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
_NO_ALONE = re.compile(r"(?:no|nope|nah|not|never|cancel|don'?t)\b|[^a-z]")
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
    r"\b(?:no|nope|nah|none|neither|keep(?! (?:going|on\b|it (?:going|up)))|not|never|cancel"
    r"|stop|abort|negative|forget|nevermind|wait|leave|undo|hold"
    r"|don'?t|doesn'?t|won'?t|scrap|skip|belay|drop)\b"
)
_SOOTHING = re.compile(
    r"不(?:用|需要)(?:再)?(?:问|确认)了?|别(?:再)?(?:问|确认|磨蹭|磨叽|废话|啰嗦|犹豫|愣|担心|怕)(?:了|着)?"
    r"|没事(?!了)|没关系|没带(?:钥匙|门卡|卡)|不好意思|(?<=.)不会有事"
    r"|\bdon'?t worry\b"
)
"""A no that is none: beside it anything may be said."""
_RHETORICAL = re.compile(
    r"[这那]?还(?:用|要|需要|能|得)[^,，]{0,4}?(?:吗|么|什么|呢)|废话|啰嗦"
    r"|\b(?:what (?:are you waiting for|else)|would i ask(?: otherwise)?|why not"
    r"|no (?:problem|worries|rush)|don'?t (?:keep \w+ waiting|make \w+ wait)"
    r"|you're keeping (?:\w+ )*waiting)\b"
)
"""Questions and the like that are a yes."""
_CAN = (
    r"[是对好行中成妥准要需得嗯恩走去发打拨呼转跟巡升降切换做弄办整来干上动快开锁松站坐躺回送倒拍放]|可[以已]"
    r"|确[认定]|同意|没问题|没错|没事|当然|肯定|必须|接通|继续|执行|出发|赶紧|马上|立刻|就[这它他她那]|意思"
    r"|这样|责任|算我|听你|允许|批",
    r"\b(?:ye(?:s|ah|p|a)|yup|ya|aye|uh.?huh|m+.?hm+|sure|o?k|okay|okie|right|correct|fine"
    r"|all ?right|alright|affirmative|confirm(?:ed)?|approved?|verified|signed off|positive"
    r"|certain(?:ly)?|absolutely|definitely|indeed|exactly|of course|please|proceed|said|good"
    r"|heard me|asked|agreed|perfect|you bet)\b",
    r"\b(?:do|send|call|ring|dial|open|unlock|turn|walk|move|start|begin|follow|patrol|hurry|quick"
    r"|now|him|her|that one|the one|let (?:him|her|them|me in)|off (?:you|it)|it's me)\b",
    r"\bgo(?:$|,| (?:ahead|for|now|there|please|then|right)\b| on(?:$|,| (?:then|with|please)\b))",
    r"\b(?:i(?:'m| am) after|my guest|bang on|suits me|great|roger|wilco|rather|believe so|think so"
    r"|hope so|say so|mean it|would you|will you|can you|carry on|make it so|by all means"
    r"|you may)\b",
)
_DOUBT = (
    r"[?？]|吗|(?<![这那多什怎要])么|(?<!那)什么(?!来着)|哪(?!怕)|(?<!那)谁|几点|怎么|为[何啥]|也许|可能|或许|想想"
    r"|看看|考虑|再说|待会|等.{0,4}再|[等过]一?会|一会儿?再|稍[等后候]|晚点|(?:明天|后天|改天)再|随便|看着办|你觉得"
    r"|我(?:来|去|自己(?:来|去|弄|开|关))(?![了负担])|屁|个头|对了|[他她]说|[去再帮].?查|^(?:多谢|谢谢)[你您了啊]*$"
    r"|^[哦啊噢]+$|好像|说错|算了|停$|开玩笑|逗你|打住|走开|滚|不|没(?![错问带]|有[错问])|别",
    r"\b(?:which|who|why|where|how|maybe|perhaps|might|later|wait|hang|hold|i'll|myself|joking"
    r"|kidding|holiday|grief|question|if|instead|check|never|forget|leave|nothing|not|no|has a key"
    r"|as if|as it is|rather you|go away|are you|is it|do i|did i|dont|wont|cant|isnt"
    r"|when(?! you(?:'re| are) ready)|but(?! (?:be )?(?:quick|hurry|please|fast))"
    r"|what(?:'s)?\b(?! i\b|(?<='s) it called))\b",
    r"n't\b|^(?:should|let me think)\b|\btomorrow$"
    r"|^i(?:'m| am) (?:fine|ok|okay|good|all right)\b(?:,? thank.*)?$",
)
_AGREES, _DOUBTS = re.compile("|".join(_CAN)), re.compile("|".join(_DOUBT))
_SHUTS = re.compile(r"关|锁[上好住死了起]|上锁|\b(?:close|shut)\b|\block (?:it|that|the|up)\b")


def eased(text: str) -> str:
    """A sentence in simplified characters and small letters, without a no that is none ("no
    problem", 别问了), and a plain yes for a question that is one (还用问吗)."""
    said = simplified(text).casefold()
    rest = _SOOTHING.sub("", said)
    rest = rest if re.search(r"\w", rest) else said
    return _RHETORICAL.sub(lambda one: "是" if has_hanzi(one[0]) else "yes", rest)


def agrees(text: str) -> bool:
    """Whether there is anything of a yes in an answer, and nothing of a doubt, a question or a
    delay."""
    said = eased(text)
    return bool(_AGREES.search(said)) and not _DOUBTS.search(said)


def contradicts(text: str, actions: set[str]) -> bool:
    """Whether a yes to "unlock" or "open" says the opposite: "yes, lock it"."""
    return bool(actions & {"open", "unlock"} and _SHUTS.search(simplified(text).casefold()))


def decision(text: str) -> bool | None:
    """Whether somebody who was asked says yes, no, or something else.

    Where a no is in it, it is no: what is not done can still be done.
    """
    parts = pieces(eased(text))
    if not parts:
        return None
    whole = " ".join(parts)
    if _NO_ZH.search(whole) or _NO_EN.search(whole):
        if _begins_no(parts[0]):
            if not _NO_ALONE.match(parts[0]) and len(parts[0].split()) > 5:
                return None  # "keep the heating at 21 degrees"
            return False if len(re.sub(r"[a-z' ]+", "x", parts[0])) <= 12 else None
        return False if _length(whole) <= 5 else None
    if not _is_yes(parts[0]) or not agrees(text):
        return None
    rest = parts[1:]
    return True if _length("".join(rest)) <= 4 or all(map(_is_yes, rest)) else None


def pieces(text: str) -> list[str]:
    """The pieces between marks, with nothing cleaned away: "好吧" must stay."""
    parts = re.split(r"[,.;:!?，。；：！？、…~\n]+", simplified(text).casefold())
    return [one for one in (" ".join(part.split()) for part in parts) if one]


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
