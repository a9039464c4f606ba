"""What the furniture of pages says and how it is named: menus, bylines, footers, sharing.

    weight(text, units)        # 0 nothing of the kind ... 6 surely furniture
    names(element)             # {"sidebar", "left"}
    cuts_off("相关阅读")        # a heading of something else than the text

Words a page of any site uses, in Chinese and English; no site is named here.
"""

from __future__ import annotations

import re

from lxml.html import HtmlElement

from qingyu.make.data.measures import words
from qingyu.make.data.stock_lines import is_stock_line

# Names in class and id. An element of these is doubted unless it holds most of the prose.
FURNITURE_NAMES = words(
    "nav navi navbar navigation menu menus submenu topmenu dropdown megamenu"
    " footer foot foots bottom copyright copy siteinfo"
    " breadcrumb breadcrumbs crumb crumbs position location weizhi mbx path"
    " sidebar sidebars side aside rightbar leftbar rail widget widgets sider"
    " pagination pager pages pagebar pagenav paging prevnext fanye"
    " share shares sharing social bdsharebuttonbox jiathis bshare sns follow"
    " related relate relates recommend recommended recommendation recommends tuijian xiangguan"
    " hot hots hotlist hotnews rank ranking ranklist top10 popular trending latest"
    " tag tags taglist tagcloud keywords keyword hotwords label labels"
    " friendlink friendlinks friendlylink links flink link-list yqlj blogroll"
    " ad ads adv advert advertisement advertising adsbygoogle banner sponsor sponsored promo"
    " toolbar tools tool toolbox topbar header-top site-header masthead site-footer"
    " login logins signin signup register userbar loginbar"
    " search searchbar searchbox subscribe subscription newsletter cookie cookies consent gdpr"
    " popup modal overlay tooltip toast lightbox qrcode ewm erweima backtop gotop"
    " toc catalog-nav directory vote votes digg rating ratings stars"
    " tuiguang guanggao rate ratl cta call-to-action tagline slogan site-description site-title pstatus statement app-qrcode"
    " byline meta info-bar postmeta post-meta entry-meta article-meta article-info source-info"
    " dateline author-box authorbox bio signature sign signatures"
    " disclaimer shengming notice-bar editor zebian edit-link editsection mw-editsection"
    " skip skiplink jump-link hatnote navbox catlinks printfooter noprint mw-jump"
    " next prev previous recirc upnext nextpost author authors credit credits rubric callout testimonials testimonial reward spoiler spoiler-tip buybox price prices cart shipping delivery promo-box inline-promo user-info userinfo avatar profile-card poster postauthor pls authi"
)
COMMENT_NAMES = words(
    "comment comments commentlist comment-list commentarea disqus disqus_thread respond pinglun"
    " reviews-comments guestbook liuyan changyan cmt"
)
TEXT_NAMES = words(
    "article articles content contents main maincontent post entry story detail details body"
    " artibody articlebody post-body postbody entry-content post-content article-content text txt"
    " markdown markdown-body prose rich_media_content zhengwen neirong wenzhang t_f thread"
    " answer answers question document doc docs wiki mw-parser-output page-content poem cont"
    " contson description desc message"
)
_FURNITURE_TAGS = frozenset(("nav", "footer", "aside", "menu"))
_FURNITURE_ROLES = words(
    "navigation banner contentinfo search complementary menu menubar dialog tablist toolbar alert"
)

_LABEL = r"(?:^|[\s|·•/—\-\[【(（>《])"
_DATE = (
    r"(?:(?:19|20)\d\d\s?[-./年]\s?\d{1,2}\s?[-./月]\s?\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d\d"
    r"|\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* (?:19|20)\d\d)"
)
# (pattern, how sure). Short texts count in full, long ones less: articles talk of these things.
_DATES = re.compile(_DATE, re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,2}:\d\d:\d\d")
_CLOCKS = re.compile(r"\d{1,2}[:：]\d\d(?:[:：]\d\d)?(?:\s?[ap]\.?m\.?)?", re.IGNORECASE)
_PATTERNS: list[tuple[re.Pattern[str], float]] = [
    (re.compile(pattern, re.IGNORECASE), sure)
    for pattern, sure in [
        # law and registration
        (r"版权所有|版權所有|著作权归|copyright\s*(?:©|\(c\)|&copy;|20\d\d|19\d\d)|©\s*(?:copyright|19|20)", 6),
        (r"all rights? reserved|保留所有权利|未经.{0,12}(?:授权|许可|同意).{0,12}(?:转载|复制|使用|镜像)", 5),
        (r"ICP\s*(?:备|证|備)|公网安备|经营许可证|网络文化经营|增值电信|广播电视节目制作", 6),
        (r"本站(?:所有|部分|内容|文章|资源|图片|作品)|站长统计|技术支持[:：]|powered by|theme by|designed by", 5),
        (r"免责声明|网站声明|版权声明|侵权.{0,8}(?:删除|联系)|不代表本(?:站|网|平台)|仅代表(?:作者|个人)|(?:affiliate|referral) links?|disclosure policy|作者个人.{0,8}(?:提供|上传|观点)|立场无关", 5),
        (r"违法和?不良信息举报|举报(?:电话|邮箱)|客服(?:电话|热线|QQ)|网站地图|sitemap", 5),
        (r"privacy policy|terms (?:of (?:use|service)|(?:and|&) conditions)|cookie (?:policy|settings)"
         r"|we use cookies|contact us|about us", 4),
        (r"欢迎(?:来到|光临|访问|您的(?:来电|光临|到来)).{0,30}(?:网|站|公司|平台|！|!)?|欢迎.{0,6}(?:来电|致电|咨询)|(?:咨询|订购|服务)热线", 3.5),
        (r"visitor number|you are visitor|您是第.{0,14}(?:位|个)?(?:访客|来访|访问)|page (?:was )?last (?:updated|modified)"
         r"|mail (?:the )?webmaster|best viewed (?:in|with)|建议使用.{0,12}(?:浏览器|分辨率)|站长(?:信箱|邮箱|QQ)|在线人数", 5),
        (r"(?:手机|移动端|APP)?(?:用户)?请(?:浏览|访问|到|收藏|记住|牢记).{0,30}(?:阅读|网址|域名|本站|网站)|天才一秒记住|最快更新|无弹窗|最新章节|本章未完|章节错误"
         r"|加入书签|投推荐票|章节目录|最新网址|全文字更新|百度搜索.{0,20}(?:阅读|最新)", 5),
        (r"^(?:最佳|推荐|满意|其他|全部|更多|精彩)(?:答案|回答)|^热心网友|^匿名用户|提问者采纳|^\d+\s*(?:个)?(?:回答|answers?)|^共?\d+\s*(?:个|条)(?:回答|评论|回复)", 4),
        (r"^(?:asked|answered|modified|viewed|edited)\b.{0,40}\d", 4),
        (r"仅供(?:其?表达个人看法|参考|学习)|不能作为.{0,16}依据|并不表明本站|(?:可能|含)有?剧透|spoiler|点击上方|长按识别|点个?[“\"]?(?:在看|赞)", 4),
        (r"^[—–\-=*·\s]*(?:END|the end|完|全文完|未完待续|\(完\)|（完）)[—–\-=*·\s]*$", 5),
        (r"解压密码|(?:高速|本地|普通|电信|联通|移动|立即)下载|下载(?:点|地址)|下载器", 4.5),
        (r"continue reading (?:with|by)|free account|already a (?:subscriber|member)|never miss|in your inbox", 5),
        (r"ships from|sold by|free returns|配送至|七天无理由|\d+ (?:ratings|customer reviews)", 4),
        (r"^[\d,.万kK ]+\s*人?(?:赞同|觉得|关注|喜欢|做过|参与|收藏|推荐)|人赞同了?该回答", 5),
        (r"给个好评|求(?:推荐|收藏|月票|好评|订阅|打赏)|更新越快|(?:手机|移动|电脑)(?:站|版|端).{0,20}(?:https?:|www\.|m\.)|无广告", 5),
        (r"转载(?:请|须|需|时)?.{0,4}注明|转载自|本文(?:由|来自|来源|出自|摘自|系|为).{0,40}(?:整理|发布|提供|原创|授权|转载|编辑|http)|如需转载|整理发布", 5),
        (r"版权归.{0,24}所有|(?:盗版|翻印)必究|本(?:站|网站|网|论坛|社区)(?:欢迎|已|将|不|的|为|是|会|提供|建议|提醒|支持|保留|概不)|not responsible for|no liability|may be edited for", 4.5),
        (r"page (?:compiled|maintained|created) by|comments and corrections|^back to |website by|site by|registered (?:in|office|charity)", 5),
        (r"this (?:entry|post) was (?:posted|written)|filed under|follow any (?:responses|comments)|\btrackbacks?\b|mailing list|off your first|stay in touch|materials provided by", 5),
        (r"^(?:\S{1,5}\s?[(（\[]\d+[)）\]]\s*)+$", 4),
        (r"^(?:推荐|主营|热销|主要|热门)(?:产品|业务|商品|服务|项目)\s*[:：]|\d+\s*位网友|网友(?:发表|评论)|^.{1,14}\s(?:19|20)\d\d-\d\d?-\d\d?[\s\d:：]*[:：]", 4.5),
        (r"CTRL\s?\+\s?D|收藏夹|请(?:大家)?收藏[:：]|更新速度|(?:全文|本文)(?:共|约).{0,8}字|阅读(?:时间|需要?|大?约).{0,8}分钟", 5),
        (rf"{_DATE}\s*[·|•]\s*\d+ min|^(?:发布|更新|发表)时间\s*[:：]|(?:领域|优质|原创).{{0,6}}(?:创作者|作者|答主)", 5),
        (r"^[（(【\[](?:本报|本网|见习|首席|特约)?(?:记者|通讯员|文|图|整理|供稿|撰稿).{0,40}[)）\]】]$|(?:门诊|坐诊|出诊)时间\s*[:：]|^(?:©|\(c\) )|^往期(?:精彩|回顾|推荐)|^(?:文案|插画|排版|策划|监制|统筹|设计|配图|校对)\s*[|｜/:：]", 5),
        (r"^(?:文章|内容|信息)?(?:源自|出自)\s*[:：]|^[（(【\[]?作者(?:系|为|单位|是)|^contact (?:the (?:writer|author|reporter)|[A-Z]\w+ [A-Z]\w+) (?:at|on|by)\b|download our (?:\w+ )?app|breaking (?:news )?alerts", 5),
        (r"^last edited by|^本帖最后由|^(?:评分)?参与人数|^(?:查看)?全部评分|^.{1,30} wrote:$|^photo(?:graph)? (?:by|credit|courtesy)|(?:staff|file) photo\b", 5),
        # ways about
        (rf"{_LABEL}(?:设为首页|加入收藏|收藏本[站页]|返回顶部|回到顶部|回顶部|关于我们|联系我们|返回首页|网站首页"
         r"|友情链接|合作伙伴|网站导航|手机版|电脑版|无障碍)", 4),
        (r"(?:您|你)?(?:现在|当前|目前)?(?:所在|的)?(?:的)?位置[:：]|^(?:首页|主页|Home)\s*[>»›/→]", 5),
        (r"^(?:上|下|前|后)一(?:篇|页|章|节|条|个|张|楼|主题)|^(?:prev(?:ious)?|next)(?: (?:post|page|article|chapter|topic))?\b.{0,3}$"
         r"|^←|→$|^[«‹<]+ ?prev|^older posts|^newer posts", 5),
        (r"skip to (?:main )?content|^back to (?:top|list)|^table of contents$|^on this page|^jump to", 5),
        (r"edit (?:this page|on github)|^\[?(?:edit|编辑)\]?$|view (?:page )?source|^page last (?:updated|modified)"
         r"|^last (?:updated|modified)|was this (?:page|article) helpful|report (?:an issue|abuse)", 5),
        # bylines and counters
        (rf"(?:来源|来自|出处|稿源|信息来源)\s*[:：]|^(?:发布|更新|发表|修改|添加|录入|上传)?(?:时间|日期|于)\s*[:：]?\s*{_DATE}", 4),
        (rf"^(?:by |作者|文[/／|]|记者|编辑|撰文|发布[者人]|投稿).{{0,30}}{_DATE}|^{_DATE}[,\s]*[\d:：]{{3,}}.{{0,8}}(?:星期.)?$|^{_DATE}.{{0,40}}(?:来源|作者|浏览|阅读|评论|分类|编辑|by |\|)", 5),
        (r"^(?:责任编辑|责编|编辑|校对|审核|审稿|终审|一审|二审|三审|实习生|录入|原标题|原文链接|本文链接|本文地址|文章来源|来源网址"
         r"|作者|摄影|图[/／]|文[/／]|发布者|翻译)\s*[:：]", 4),
        (r"^[（(\[【](?:责任编辑|责编|编辑|来源|作者|记者|原标题|完|本文来源).{0,40}[)）\]】]$", 4),
        (r"(?:浏览|阅读|点击|访问|查看|人气|回应|热度|播放|累积人气)(?:次数|量|数)?\s*[:：(（]?\s*\d|\d+\s*(?:次浏览|次阅读|人阅读|人浏览|次点击|views?\b|reads?\b)", 5),
        (r"(?:评论|回复|跟帖|点赞|赞|收藏|分享|转发|踩|顶)(?:数)?\s*[(（:：\[]\s*\d+\s*[)）\]]?", 4),
        (r"^\d+\s*(?:条评论|条回复|个回答|人赞同|comments?|replies|answers?|likes?|shares?|points?)\b", 4),
        (r"^(?:posted|published|written|updated|filed|reviewed)(?: (?:on|by|in|under|at)\b)", 4),
        (r"^by [A-Z][\w.'-]+(?: [A-Z][\w.'-]+){0,3}(?:$| [|·•,—-])|\bmin(?:ute)?s? read\b", 4),
        (r"^(?:字号|字体|字体大小|【?字号)|^(?:大|中|小)(?:\s+(?:大|中|小)){1,2}$|打印本页|关闭窗口|【打印】|【关闭】|我要(?:纠错|评论|留言)", 5),
        (r"^(?:标签|关键词|关键字|TAGs?|keywords?|分类|栏目|所属分类|tags?|categor(?:y|ies)|topics?|labels)\s*[:：]", 5),
        # sharing, following, asking to stay
        (r"分享(?:到|至|给|按钮)|扫一扫|扫描(?:下方|上方)?二维码|关注(?:我们|微信|公众号|官方)|微信公众号[:：]|下载(?:APP|客户端)|打开APP", 5),
        (r"share (?:this|on|via)|tweet this|follow us|^(?:facebook|twitter|linkedin|pinterest|reddit|whatsapp|email|print|share|tweet|weibo)$", 5),
        (r"sign up (?:for|to)|subscribe (?:to|now|for)|newsletter|create (?:an|your) account|^log ?in|^sign ?in|forgot (?:your )?password", 4),
        (r"(?:请)?(?:先)?登录(?:后|之后)|(?:立即|免费|用户|会员)(?:登录|注册)|忘记密码|还没有账号", 4),
        (r"^(?:回复|举报|赞|顶|踩|收藏|引用|点赞|支持|反对|分享|评论|转发|只看(?:该作者|楼主)|倒序浏览|展开全文|收起|查看全部|加载更多"
         r"|reply|quote|report|flag|share|upvote|downvote|like|permalink|edit|delete|helpful|show more|load more)(?:\s*[(（]?\d*[)）]?)$", 5),
        (r"^(?:发表|我要|写|提交)(?:评论|留言|回复|回帖|回应)|^leave a (?:reply|comment)|^post a (?:reply|comment|follow|message)|your email address will not be", 5),
        (r"加入购物车|立即购买|add to (?:cart|bag|wish ?list|basket)|buy now|free shipping|^in stock|^qty\b|月销量|累计评价", 4),
        (r"^(?:advertisement|sponsored|广告|推广|赞助商)|^ad$", 6),
        (r"(?:楼主|沙发|板凳|地板|\d+楼)$|^#\d+(?:楼)?$|^(?:积分|威望|金钱|贡献|经验|精华|帖子|主题|注册时间|最后登录|在线时间|阅读权限|用户组)\s*[:：\d]", 5),
        (r"^发表于\s*\d|^joined[: ]|^posts?[: ]+[\d,]+$|^(?:senior |junior |new )?member$|^location[: ]", 5),
    ]
]  # fmt: skip

# What buttons say. A line of little else is a row of buttons, in whatever order.
_BUTTONS = re.compile(
    r"评论|分享|举报|反馈|收藏|点赞|[已赞踩]过|回复|收起|展开|关注(?:问题|她|他|TA)?|提问|私信|写回答|我来答|邀请回答|追加酬金|打赏|转发|转载|复制链接|纠错|打印|下载"
    r"|有用|没用|支持|反对|引用|编辑|删除|查看|更多|登录|注册|订阅|投诉|喜欢|推荐|向TA|加好友|发消息|顶端"
    r"|\b(?:share|reply|report|like|follow|print|save|e-?mail|comments?|tweet|pin|bookmark|flag|edit|copy link|quote|upvote|download|log in|sign up|subscribe)\b",
    re.IGNORECASE,
)

# What begins so is of the site, however long.
_OPENINGS = re.compile(
    r"^[（(【\[*※★]?\s*(?:作者(?:简介|介绍)|关于作者|原标题|图片(?:来源|均|来自))"
    r"|\b(?:this|the|my) (?:post|page|article|site|blog)s? .{0,20}(?:affiliate )?links\b|\b(?:earn|get) a (?:small )?commission"
    r"|\bfor (?:general )?information(?:al)? purposes only\b|\bnot (?:constitute|be (?:taken|construed) as) (?:an? )?(?:\w+ )?(?:advice|relationship)"
    r"|^[（(【\[*※★]?\s*(?:免责|版权|特别|郑重|网站|本站|法律|转载)(?:声明|说明|提示)|^声明\s*[:：]|^(?:disclaimer|copyright notice|about the author)\b"
    r"|^(?:this|the) (?:post|page|article|site|website) (?:may |might )?(?:contains?|includes?|uses?) (?:affiliate|cookies|sponsored)",
    re.IGNORECASE,
)
_CONTACTS = re.compile(
    r"(?:联系人|电话|手机|传真|地址|邮箱|邮编|QQ|微信|网址|E-?mail|Tel|Fax|Phone|Address)\s*[:：]",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://|www\.\w|\w\.(?:com|cn|net|org)\b", re.IGNORECASE)
_NOTES = re.compile(
    r"^(?:see also|references?|footnotes|external links|further reading|bibliography|citations?|journal references?|story source|cite this (?:page|article)|how to cite"
    r"|参见|另见|参考(?:资料|文献|来源)|外部链接|扩展阅读|延伸阅读|相关条目|脚注)$",
    re.IGNORECASE,
)
_NEXT = re.compile(
    r"^(?:上一篇|下一篇|下一章|next(?: article| story| post)?|up next)[:：]?$", re.IGNORECASE
)
_CUTS = re.compile(
    r"^(?:[【\[「『]?)(?:相关|更多|热门|最新|推荐|猜你|您可能|你可能|大家都在|为您推荐|为你推荐|延伸阅读|精彩推荐|编辑推荐|图片推荐"
    r"|热点|今日|本周|排行|点击排行|阅读排行|随机|站内|同类|友情链接|上一篇|网友评论|编者点评|编辑点评|作品点评|最新评论|精彩评论|全部评论|发表评论|用户评论"
    r"|我要评论|我要回应|我来说|评论|回应|其他人还|看了又看|买了又买|浏览过|分享到|相似|近期文章|文章归档|文章分类|标签云|下载地址|阅读下一篇|合作媒体|快速导航|栏目导航)"
    r"(?!.{14})"
    r"|^(?:related|recommended|popular|trending|latest|recent|most (?:read|popular|viewed)|more (?:from|in|on|news|stories|articles)"
    r"|you (?:may|might) (?:also )?(?:like|enjoy|be interested)|also (?:on|in)|comments?\s*[(（]?\d*[)）]?$|\d+ (?:comments|responses|replies|thoughts)"
    r"|leave a|share this|categories|archives|tags|about the author|follow us|subscribe|newsletter|advertisement"
    r"|customers who|similar (?:products|items|posts)|further reading from|read next|up next|what to read|quick links|sponsored)"
    r"(?!.{40})",
    re.IGNORECASE,
)
_TEASER_END = re.compile(
    r"(?:…|\.{3}|。。。)\s*(?:[\[【(（]?(?:详细|详情|更多|全文|阅读全文|查看|more|read more)[^。]{0,6})?$"
    r"|[\[【(（](?:详细|详情|更多|全文|阅读全文|查看全文|查看详情|more|read more)[\]】)）»>]*$"
    r"|(?:阅读全文|查看详情|查看全文|了解更多|read more|continue reading|learn more|full story)\s*[»›→>.…]*$",
    re.IGNORECASE,
)
_ERRORS = re.compile(
    r"页面不存在|找不到(?:该|您|你)?.{0,6}(?:页面|网页|内容)|(?:内容|文章|帖子|信息|商品|主题|网页)(?:不存在|已删除|已被删除|已下架)"
    r"|自动跳转|秒后(?:自动)?(?:跳转|返回)|没有权限|404|page (?:not|cannot be) found|does(?:n't| not) exist|no longer available"
    r"|access denied|forbidden|under construction|建设中|正在维护|enable javascript|启用\s?javascript|浏览器版本过低"
    r"|请输入验证码|verify you are (?:a )?human|checking your browser",
    re.IGNORECASE,
)
_TOKENS = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


# Traditional characters of these words; more is not needed to know furniture.
_SIMPLIFIED = str.maketrans(
    "發佈來時間閱讀評論讚轉載責編輯權備號經營許聯繫關於導網頁書籤訂訪問瀏覽點擊頂樓層積貼題註冊錄後請寫傳專欄標類熱門薦隨機圖違規"
    "聲僅見觀無說與個體務電話郵簡廣為給應該內們過條連載設詳細應應擇狀態稱歸屬開關閉選單藏鎖舉報稿終審實習結構長級會員級陸證獲鐘"
    "讓這樣還進買賣車購優價標獎單戶帳聯絡團隊絡錢貢獻驗經臉蘋鏈覺滿後類錯誤繁當處",
    "发布来时间阅读评论赞转载责编辑权备号经营许联系关于导网页书签订访问浏览点击顶楼层积贴题注册录后请写传专栏标类热门荐随机图违规"
    "声仅见观无说与个体务电话邮简广为给应该内们过条连载设详细应应择状态称归属开关闭选单藏锁举报稿终审实习结构长级会员级陆证获钟"
    "让这样还进买卖车购优价标奖单户帐联络团队络钱贡献验经脸苹链觉满后类错误繁当处",
)


def simplified(text: str) -> str:
    return text.translate(_SIMPLIFIED)


def weight(text: str, size: float, *, dated: bool = True) -> float:
    """How surely a text of that many units is furniture by what it says, 0 to 6. dated: whether a
    date with little beside it counts; headings may have one."""
    if size > 220:
        return 0.0
    text = simplified(text)
    sure, hits = _dated(text, size) if dated else 0.0, 0
    for pattern, points in _PATTERNS:
        found = len(pattern.findall(text))
        if found:
            sure = max(sure, points)
            hits += min(found, 3)
    if _OPENINGS.search(text) or _is_buttons(text):
        return 5.0
    if is_stock_line(text, size):
        return 5.5
    if len(_CONTACTS.findall(text)) >= 2 and not text.rstrip().endswith("。"):
        return 5.0
    if size < 18 and _ADDRESS.search(text) and not text.rstrip().endswith(("。", "：", ":")):
        sure = max(sure, 4.0)
    if not hits:
        return sure
    if hits > 1:
        sure = min(6.0, sure + 0.7 * (hits - 1))
    room = 30.0 * min(hits, 3)
    return sure * min(1.0, room / max(size, 1.0))


def _is_buttons(text: str) -> bool:
    found = _BUTTONS.findall(text) if len(text) < 80 else []
    left = len(re.sub(r"[\W\d]", "", _BUTTONS.sub("", text)))
    return len(found) >= 2 and left <= sum(map(len, found))


def _dated(text: str, size: float) -> float:
    """A date with next to nothing beside it; one in Chinese may sign a notice."""
    if size > 40 or not (_DATES.search(text) or _SECONDS.search(text)):
        return 0.0
    rest = _CLOCKS.sub("", _DATES.sub("", text))
    left = len(re.sub(r"\W", "", rest))
    if _CLOCKS.search(text) and left <= 40 and not re.search(r"[。！？.!?]", rest):
        return 4.0
    if left > 12 or rest.rstrip().endswith(("。", "！", "？", "”")):
        return 0.0
    bare = not left or (text.startswith(("（", "(")) and not _CLOCKS.search(text))
    return 0.5 if bare and "日" in text else 4.0


def cuts_off(text: str) -> bool:
    """Whether a heading begins something else than the text: related pages, comments."""
    text = simplified(text).strip("　 【】[]「」:：>»·-—*★●■◆▶")
    return bool(_CUTS.match(text) or _NOTES.match(text) or _NEXT.match(text))


def is_teaser(text: str) -> bool:
    """Whether a text breaks off and points to the rest."""
    return bool(_TEASER_END.search(simplified(text)))


def is_error(text: str) -> bool:
    """Whether a text says that there is nothing here."""
    return bool(_ERRORS.search(simplified(text)))


def names(element: HtmlElement) -> set[str]:
    """Words in class and id: whole names, their parts, and parts of camelCase."""
    found: set[str] = set()
    for attribute in ("class", "id"):
        value = element.get(attribute)
        if not value:
            continue
        for name in _TOKENS.findall(value):
            lowered = name.lower()
            found.add(lowered)
            parts = re.split(r"[_-]", _CAMEL.sub("-", name))
            found.update(part.lower().rstrip("0123456789") for part in parts)
    found.discard("")
    return found


def is_furniture(element: HtmlElement) -> bool:
    """By tag, role and name."""
    if element.tag in _FURNITURE_TAGS or element.get("role") in _FURNITURE_ROLES:
        return True
    found = names(element)
    return not FURNITURE_NAMES.isdisjoint(found) and found.isdisjoint(("content", "rich"))


def is_comments(element: HtmlElement) -> bool:
    return not COMMENT_NAMES.isdisjoint(names(element))


def is_text(element: HtmlElement) -> bool:
    if element.tag in ("article", "main") or element.get("role") == "main":
        return True
    if element.get("itemprop") in ("articleBody", "text", "description", "recipeInstructions"):
        return True
    return not TEXT_NAMES.isdisjoint(names(element))
