"""Whether words can be a yes at all: without that, whatever a model makes of them, the door stays
locked.

agrees("还用问吗，赶紧")      # True
agrees("who is it")          # False: a question
agrees("等他到了再开")        # False: not now
"""

from __future__ import annotations

import re

from qingyu.act.spoken.spelling import simplified

_RHETORICAL = re.compile(
    r"[这那]?还(?:用|要|需要|能|得)[^,，]{0,4}?(?:吗|么|什么|呢)|废话|啰嗦"
    r"|what (?:are you waiting for|else)|would i ask(?: otherwise)?"
)
"""Questions that are a yes."""
_YES = (
    r"[是对好行中成妥准要需得嗯走去发打拨呼转跟巡升降切换做弄办整来干上动快开锁松站坐躺回送倒拍放]|可[以已]"
    r"|确[认定]|同意|没问题|没错|没事|当然|肯定|必须|接通|继续|执行|出发|赶紧|马上|立刻|就[这它他她那]|意思"
    r"|这样|责任|算我",
    r"\b(?:ye(?:s|ah|p|a)|yup|ya|aye|uh huh|mhm|sure|o?k|okay|okie|right|correct|fine|all ?right"
    r"|alright|affirmative|confirm(?:ed)?|approved?|verified|signed off|positive|certain(?:ly)?"
    r"|absolutely|definitely|indeed|exactly|of course|please|proceed|said|heard me|asked)\b",
    r"\b(?:do|send|call|ring|dial|open|unlock|turn|walk|move|start|begin|follow|patrol|hurry|quick"
    r"|now|him|her|that one|the one|let (?:him|her|them|me in)|off (?:you|it)|waiting)\b",
    r"\bgo(?:$|,| (?:ahead|for|now|there|please|then|right)\b| on(?:$|,| (?:then|with|please)\b))",
    r"\b(?:i(?:'m| am) after|my guest|bang on|suits me|great|roger|wilco|rather|believe so|think so"
    r"|hope so|say so|mean it|would you|will you|can you|carry on|why not|make it so|by all means"
    r"|you may)\b",
)
_DOUBT = (
    r"[?？]|吗|(?<![这那多什怎要])么|(?<!那)什么(?!来着)|哪|(?<!那)谁|几点|怎么|为[何啥]|也许|可能|或许|想想|看看"
    r"|考虑|再说|待会|等会|一会|稍|等.{0,4}再|晚点|明天|后天|随便|看着办|你觉得|我来(?!负|担)|自己|屁|个头|对了"
    r"|[他她]说|查|谢谢$|^[哦啊噢]+$|好像|说错|算了|停$|不(?!用(?:再|问|确)|要再|好意思)|没(?![错问事])"
    r"|别(?![确再磨啰问愣废婆犹])",
    r"\b(?:which|who|why|where|when|how|maybe|perhaps|might|later|tomorrow|wait|hang|hold|i'll"
    r"|myself|joking|kidding|holiday|grief|question|but|if|instead|check|never|forget|leave|nothing"
    r"|not|no(?! problem)|has a key|as if|as it is|rather you|go away|are you(?! waiting)|is it"
    r"|do i|did i|what(?:'s)?(?! (?:i|else|are you waiting|it called)))\b",
    r"n't\b(?! (?:keep|make|worry|wait|hang))|^(?:should|let me think)\b",
)
_AGREES, _DOUBTS = re.compile("|".join(_YES)), re.compile("|".join(_DOUBT))


def agrees(text: str) -> bool:
    """Whether there is anything of a yes in an answer, and nothing of a doubt, a question or a
    delay."""
    said = _RHETORICAL.sub("是 yes", simplified(text).casefold())
    return bool(_AGREES.search(said)) and not _DOUBTS.search(said)
