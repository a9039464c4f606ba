"""Lines that engines of forums, blogs and wikis, portals and their applications print by themselves.

    is_stock_line("本回答由提问者推荐", 9.0)     # True

They come on millions of pages in the very same words, so that one is enough to know a block by;
`boilerplate` knows what furniture says in general.
"""

from __future__ import annotations

import re

_LINES = re.compile(
    # answers
    r"你对这个回答的评价|^本回答[由被]|可选中1个或多个|直接点.搜索资料|采纳数[:：]|获赞数[:：]|抢鲜体验|^推荐于\s*(?:19|20)\d\d|^展开全部$|已赞过"
    # applications
    r"|打开.{1,12}(?:查看|阅读)(?:图片|更多|全文|原文)|尽在.{2,16}(?:APP|客户端)|更多精彩.{0,8}就?在|^点击(?:进入|查看)(?:专题|全文|原文|详情)"
    r"|(?:长按|识别|扫码|扫描).{0,8}(?:二维码|关注|小程序)|阅读原文|来自(?:手机|电脑|微博|iPhone|安卓|Android).{0,6}(?:客户端|版)?$|发自我的|来自.{1,12}客户端$"
    r"|^sent from my |using tapatalk"
    # portals
    r"|已有\s*\d+\s*人?(?:参与|评论)|仅提供信息存储|不构成(?:任何)?投资建议|风险自担|^平台声明|遵守.{0,12}(?:政策法规|法律法规).{0,20}(?:严禁|禁止)|^(?:本文|文章|内容)导读[:：]?$"
    r"|尊重并保护知识产权|被以下专栏收入|共写了.{1,8}字|获得\d+个赞|最后更新于.{0,20}(?:超过|已过)|大家多多支持|^总资产\d|^IP属地|^字数\s*[\d,]+|赞赏支持|还没有人赞赏|小礼物走一走|好文要顶|必须保留此段声明"
    # novels
    r"|按\s*(?:回车|←|→)|快捷键\s*[←→]|支持(?:作者|正版)|章节更多|^(?:上|下)一[章页]\s*(?:返回|目录|章节)|返回(?:目录|书目)|加入书架"
    # wikis
    r"|条目需要(?:补充|扩充|编修)|来源(?:以)?(?:改善|佐证)(?:这|本)|自由的百科全书|本页面最后(?:修订|编辑)|条款下提供|^(?:主条目|参见|另见)[:：]"
    r"|free encyclopedia$|needs? additional citations|adding citations to reliable|^main articles?:|^retrieved from\b|unsourced material|this article is a stub|by expanding it"
    # news
    r"|^this article is more than \d+|story continues below|article continues (?:below|after)|^image (?:source|caption|credit)\b|^(?:photograph|photo|credit|image)s?\s*:|/(?:getty|reuters|afp|ap)(?: images)?\)?$|thomson reuters trust|^reporting by .{3,60};? ?(?:additional|editing|writing)"
    r"|^read more\s*:|^listen to (?:this|the) (?:article|story)|views expressed (?:in|here)|originally (?:published|appeared) (?:by|in|on|at)|reproduced (?:here )?with permission|support (?:our|independent) journalism|^have a (?:news )?tip"
    # blogs, forums, questions
    r"|like loading|opens in (?:a )?new window|amazon (?:associate|services)|akismet|do not sell my|logged in to (?:post|comment|reply)|cannot share posts by email|unsubscribe at any time|^join the (?:discussion|conversation)|unlimited access|thanks for reading!"
    r"|looking for\? browse other|highly active question|earn \d+ reputation|to answer this question|users browsing this|you (?:cannot|may not|can) (?:post|reply|edit|delete)|^originally posted by|^top$|enable javascript"
    r"|^(?:closed|locked|protected) (?:by|as)\b|^this question (?:already has|was|is|does)|marked as duplicate|improve this (?:question|answer)",
    re.IGNORECASE,
)  # fmt: skip
_MOST_UNITS = 90.0


def is_stock_line(text: str, size: float) -> bool:
    """Whether a text of that many units has such a line."""
    return size <= _MOST_UNITS and bool(_LINES.search(text))
