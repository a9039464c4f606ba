"""Prose that sells: of the shop, clinic or school whose page it is, around the text people came for.

    appeals("我校常年招收学员，免费试学，欢迎来电咨询！")     # {"self", "offer", "call", "contact"}
    echoes("猫为什么爱纸箱，猫咪为什么喜欢纸箱，猫爱纸箱的原因", "猫为什么喜欢纸箱")   # True

It has sentences and function words like any prose. What gives it away is that several kinds of
appeal come together, which one sentence of a report seldom has.
"""

from __future__ import annotations

import re

from qingyu.make.data.measures import IDEOGRAPHS

_APPEALS: dict[str, re.Pattern[str]] = {
    kind: re.compile(pattern, re.IGNORECASE)
    for kind, pattern in {
        "self": (
            r"我们(?:的)?(?:团队|工程师|产品|公司|医院|服务|师傅|优势|始终|一直|专注|拥有|提供|承诺|致力)|(?:\d+|[一二两三四五六七八九十百]+)(?:多|余)?年(?:来|专注|经验|匠心|行业|品牌|老店)|自主研发|从事.{2,14}(?:\d+|[一二两三四五六七八九十百]+)(?:多|余)?年"
            r"|我(?:校|院|厂|司|店|公司|单位|中心)|本(?:公司|院|校|厂|店|中心|所)|从事.{0,12}(?:生产|销售|加工|行业|服务).{0,4}(?:多|十|\d+)?年|产品(?:有|包括|涵盖|远销)|主营|[公司院校厂]是一家|公司(?:位于|成立|拥有|秉承|专业|主营|以)"
            r"|\bour (?:team|experts?|company|technicians|staff|services|clients|plumbers|surgeons)\b|\bproud to (?:be|serve|offer|provide)\b|\bhelped (?:thousands|hundreds)|\bwe (?:offer|provide|speciali[sz]e|pride|serve|cover|are the)\b"
            r"|\b[\d,]+\+? (?:teams|customers|companies|businesses|users|clients|families) (?:use|trust|rely|have|love)"
            r"|\bour \w+s (?:have|are|can|will|know)\b|^serving \w|\b(?:serving|trusted|in business|established) .{0,60}since (?:19|20)\d\d\b|\b(?:in|at|visit) (?:my|our) (?:online )?(?:shop|store|showroom)\b"
            r"|\bour (?:\w+,? (?:and )?){0,3}(?:team|experts?|attorneys?|lawyers?|dentists?|doctors?|office|firm|professionals|practice|clinic|staff)\b|\bproudly \w+"
            r"|\b(?:experienced|dedicated|caring|skilled|friendly|qualified|knowledgeable|certified)(?: and \w+)? (?:\w+ ){0,2}(?:team|professionals|attorneys?|lawyers?|staff|technicians|dentists?)\b"
            r"|\b(?:for|with) (?:more than|over|nearly) \w+ years\b|\bha(?:ve|s) (?:been )?(?:represented|helped|served|helping|serving|creating)\b"
            r"|\b(?:leading|premier|trusted|top[- ]rated|best|number one|#1) [\w ]{0,30}(?:in|near|around|company|provider|specialists?)\b"
        ),
        "offer": (
            r"专业(?:从事|生产|提供|承接|销售|定制|团队|的)|免费(?:试|咨询|上门|体验|报价|领取|设计)|价格(?:优惠|实惠|合理|低|公道|便宜)|质量(?:可靠|保证|好|过硬|上乘)"
            r"|优质(?:的)?(?:服务|产品)|性价比|一站式|量身(?:定制|打造)|随到随|常年(?:招|供|回收|销售|承接)|推荐(?:工作|就业)|包(?:教|学)会|厂家直销|现货|来样|定[做制]|起订量|货期|长期(?:高价)?(?:回收|收购|供应)|高价回收|现金结算|上门(?:服务|安装|回收)|批发|优惠活动|诚信(?:为本|经营)"
            r"|特惠|全免|[减省降打].{0,4}[成折元]|满.{1,5}减"
            r"|\bsave (?:up to )?\$?\d+|\d% (?:off|on)\b|\b(?:\d+[- ]year|lifetime) (?:warranty|guarantee)|^ask about our"
            r"|立减|减免|前[\d一二三四五六七八九十百]+名|获赠|赠送|免费(?:量|出|做|送|检测|办理|领)|[询次]免费|包赔|包过|口碑(?:最好|好)|合伙人|赞誉|首存|送彩金"
            r"|\bno credit card|\bfree (?:for \d+ days|trial)|\btry .{1,24} free\b|体验课|领取"
            r"|\bhalf[- ]price|\bdiscount|\bcoupon|\bpromo code|\bfully covered|\bfull value protection|\bno extra cost"
            r"|零投诉|质保|后顾之忧|货源|正品|名额有限|限时|特价|折扣|(?:持证|自有).{0,4}(?:队伍|工人|师傅)"
            r"|\bfinancing available|\bplans? accepted|\bspecials?\b(?= offer|[.!])|\d% off|\bsame[- ]day (?:appoint|service|deliver)|\bmoney[- ]back|\blicensed (?:and|&|online)|\bdiscreet|\bcompare prices|\bbest prices?"
            r"|\bfree (?:quotes?|estimates?|consultation|inspection|trial|delivery|no[- ]obligation)|no[- ]obligation|affordable|competitive (?:prices|rates)|fully insured|24[ /]?(?:7|hours?)|satisfaction guaranteed|family[- ]run"
        ),
        "call": (
            r"欢迎.{0,16}(?:来|前来|咨询|选购|光临|惠顾|订购|洽谈|合作|关注|报名|参观|您的|新老|各界)|点击(?:咨询|在线|进入|查看|下方|上方|这里)|预约(?:挂号|报名|参观)|(?:可以?|请|欢迎|随时)(?:与我们)?(?:联系|致电)|联系我们|需要.{0,14}(?:的朋友|的客户|可)|(?:立即|马上|赶快|抓紧)(?:报名|咨询|预约|行动|订购|拨打)"
            r"|(?:抓紧|赶紧|快来|现在|暑假|欢迎).{0,8}(?:报名|预约|咨询|下单|订购)|(?:可|请)(?:直接|随时)?(?:拨打|添加|扫码|私信|致电|点击)|诚邀"
            r"|\blet (?:the|our) (?:pros|experts|professionals|team)|\blet us (?:help|take|handle|do)"
            r"|添加.{0,8}微信|留下(?:您|你)?的?(?:电话|联系)|回电|(?:选购|采购|购买|认准|就)[^，。]{0,12}(?:找|就上|就看|就选)|炒股就看|尽在"
            r"|\brequest (?:an?|your) (?:appointment|quote|estimate|consultation)|\bfill (?:out|in) (?:our|the) (?:\w+ )?form|\bmake an appointment|\b(?:do not|don't) (?:wait|hesitate)|\bgive us a call|\bcall [\w ]{0,40}at \(?\d|\barrange a\b"
            r"|\b(?:contact|call|email|visit|ring|phone) (?:us|our|now|today)\b|\bget in touch\b|\b(?:book|schedule|order|reserve) (?:now|online|yours?|a)\b|\b(?:get|request) (?:a|your) (?:free )?quote\b|today!"
        ),
        "contact": r"咨询|热线|来电|致电|拨打|电话|客服|QQ|微信号?|\d{3,4}-\d{7,8}|400-?\d{3}|\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}|\b(?:telephone|hotline)\b",
        "you": (
            r"(?:让|任|助|帮|给|与)您|您(?:身边|家里)"
            r"|\bevery (?:patient|customer|client|case)\b|\blike family\b|\bour (?:patients|customers|clients|guests|members|readers)\b|\bnear you\b|\byou deserve\b|\bprotect your\b|\byour (?:smile|needs|rights)\b"
            r"|为您(?:解答|服务|提供|介绍|详细|推荐|带来|打造|排忧)|(?:竭诚|真诚|全心)为|祝(?:您|大家|你)|您(?:的)?(?:满意|健康|信赖|最佳|首选|身边)|(?:值得|给您)(?:您)?(?:的)?(?:信赖|放心|拥有)|专家(?:在线|将|会)|如果?您(?:还)?(?:有|需要|对|想)|首选"
            r"|\blooking for (?:an? |the )?(?:best |good |reliable |local |cheap )?\w|\bwhether you(?:'re| are| need)\b|\bfor all your\b|\byour local\b|\bsurrounding areas?\b"
        ),
        "close": (
            r"以上(?:就是|便是|内容|是|为).{0,36}(?:介绍|内容|分享|全部|知识|方法|相关|讲解)|希望(?:对|能|可以|以上).{0,14}(?:帮助|帮到)|小编|今天就(?:介绍|分享|说)到"
        ),
        "more": r"了解更多|更多.{0,16}(?:请(?!参|见|看|查)|欢迎|尽在|敬请|关注|资讯)|敬请(?:关注|期待)",
    }.items()
}  # fmt: skip
_CLAUSES = re.compile(r"[，。！？；、,.!?;…\n]+")
_UNIT = re.compile(rf"[{IDEOGRAPHS}]|(?:(?![{IDEOGRAPHS}])\w)+")
_MAX_UNITS = 260
_PARTS = re.compile(r"\s*[_|｜–—»>【】]\s*|\s+[-·•]\s+|-")
# Pages about the firm itself.
_ABOUT = re.compile(r"简介|关于|介绍|概况|\babout\b|who we are", re.IGNORECASE)
# "晨光网6月18日电（记者" names the site, and begins the report.
_REPORTS = re.compile(
    r"\d{1,2}日(?:电|讯)|记者|通讯员|本报讯|表示|告诉|介绍说|[“”]|\breported?\b|\btold\b|\bsa(?:id|ys)\b"
)

# Of whoever writes, to whoever has read.
_THANKS = re.compile(
    r"(?:点赞|转发|收藏|在看|打赏|关注|投币)[、，,和\s]*(?:并)?(?:点赞|转发|收藏|在看|打赏|评论)|(?:别忘了?|记得|欢迎).{0,8}(?:点赞|转发|关注|收藏|打赏|分享)"
    r"|\bif you (?:enjoyed|liked|loved|found) (?:this|that|the|it)\b|\b(?:pin|save) it for later|\bshare (?:it|this) with|\bhold down the clap|\bfollow \w.{0,30} for more"
    r"|\bconsider (?:becoming|subscribing|donating|supporting)|\bdid you find this|\blet (?:me|us) know (?:what|if|in the comments)|\bcan be reached at\b|\bfollow (?:him|her|them|me|us) on",
    re.IGNORECASE,
)
# Headings under which a firm speaks of itself.
_INVITING = re.compile(
    r"我们的?(?:优势|服务|承诺|团队|案例|客户|资质)|为什么选择|选择我们|(?:服务|公司|产品)(?:优势|流程|承诺|实力|范围)|合作(?:客户|流程)|联系(?:方式|我们)|在线(?:咨询|报名|预约)"
    r"|^(?:looking for an?|talk to|ready to|why choose|need an?|call|contact|book|schedule|get (?:in touch|started|help)|how can we help|about (?:us|our)|our (?:services|promise|team|guarantee)|meet our|areas? we|service areas?|visit us|free)\b.*(?:[?!]|today|us|our|now|\b(?:in|near) [A-Z]|$)",
    re.IGNORECASE,
)
_BOASTS = re.compile(
    r"专业|品质|质量|服务|售后|客户|用户|患者|学员|信赖|信任|放心|满意|好评|欢迎|海量|领先|致力|匠心|用心"
    r"|多年|年来|经验丰富|团队|工程师|技师|专家|自主|荣获|认证|保障|优惠|特惠|实惠|全免|免费|全网|最快|收藏|关注|助力|您"
    r"|\bexperienced?\b|\bteams?\b|\bclients?\b|\bpatients\b|\bhomeowners\b|\bquality\b|\bcovered by\b"
    r"|\bprofessional|\btrusted\b|\bproudly\b|\bserv(?:e|es|ing|ices?)\b|\bcommitted\b|\bdedicated\b|\bfollow\b|\bsubscrib|\breaders\b|\bparticipant",
    re.IGNORECASE,
)


def appeals(text: str) -> set[str]:
    """The kinds of appeal in a text."""
    return {kind for kind, pattern in _APPEALS.items() if pattern.search(text)}


def weight(text: str, size: float) -> float:
    """How surely a text of that many units sells, 0 to 7."""
    if size > _MAX_UNITS or size < 8:
        return 0.0
    found = appeals(text)
    if size < 70 and _THANKS.search(text):
        return 6.0
    if len(found) >= 4 or (len(found) == 3 and size < 120):
        return 7.0
    if len(found) == 3 or ("close" in found and (len(found) == 2 or size < 40)):
        return 5.0
    if len(found) == 2 and size < 60 and ("call" in found or "self" in found):
        return 3.5
    return 0.0


def echoes(text: str, title: str) -> bool:
    """Whether most clauses of a text only say the page's title over again."""
    wanted = set(_units(title))
    clauses = [units for units in map(_units, _CLAUSES.split(text)) if len(units) >= 4]
    if len(clauses) < 3 or len(wanted) < 4:
        return False
    same = sum(sum(unit in wanted for unit in units) >= 0.6 * len(units) for units in clauses)
    return same >= 0.7 * len(clauses)


def is_about(title: str) -> bool:
    """Whether a page is about the firm itself: what sells is its text."""
    parts = [part for part in _PARTS.split(title) if part.strip()]
    return bool(parts) and bool(_ABOUT.search(parts[0]))


def site_names(title: str) -> set[str]:
    """What a page's title says after its own: the name of the site or firm."""
    parts = [part.strip() for part in _PARTS.split(title) if part.strip()]
    return {
        part.lower()
        for part in parts[1:]
        if part != parts[0] and (len(part) >= 4 if part > "\u2e80" else part.count(" ") >= 1)
    }


def names_site(text: str, sites: set[str]) -> bool:
    lowered = text.lower()
    return any(site in lowered for site in sites) and not _REPORTS.search(text)


def reports(text: str) -> bool:
    """Whether a text is the beginning of a report, or quotes somebody."""
    return bool(_REPORTS.search(text))


def invites(heading: str) -> bool:
    """Whether a heading is one under which a firm speaks of itself."""
    return bool(_INVITING.search(heading))


def boasts(text: str) -> bool:
    """Whether a text speaks to customers or of its own merits at all; prose may do that as well."""
    return bool(_BOASTS.search(text) or appeals(text))


def _units(text: str) -> list[str]:
    """Characters of Chinese, words of other scripts."""
    return _UNIT.findall(text.lower())
