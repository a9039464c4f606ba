"""Words that are no name by themselves: of everyday speech, of kinds of things, of rooms.

A part of a name ("the twinkle ones", 篱笆的) may stand for a device only where it is none of them.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLORS_SAID = _words(
    """
    red orange yellow green cyan blue purple pink white black grey gray brown golden silver
    """
)

EVERYDAY = COLORS_SAID | _words(
    """
    a about above across after again against ago air all almost alone along already also always am
    an and animal another any anybody anyone anything apart are area around as ask asleep at awake
    away baby back bad bag ball band bank bar base bath bathe be beach bear beat beautiful because
    bed been before began begin behind being bell below bend best better between big bike bill
    bird bit bite bitter blow board boat body boil book boost born both bottle bottom bowl box boy
    brake bread break breakfast breath bridge bright brightness bring broken brother brought build
    building burn bus busy but butter buy by cake call calm came camera can candle cannot car card
    care carry cart case cat catch cause center centre chair chance change channel chapter charge
    cheap cheaper cheat check cheese chicken child children choose church city class clean clear
    climb clock close closed cloth clothes cloud coat coffee cold color colour come comfort
    comfortable common company cook cool cooler copy corner cost could count country couple course
    cover crazy cream cross cry cup cut dad daily damp dance dark darker date daughter day dead
    deal dear deck deep degree desk did die different dim dimmer dining dinner dirty dish do
    doctor does dog doing done door double down downstairs draw dream dress drink drive driver
    drop dry during dust each ear early earth east easy eat eco economy egg eight either electric
    else empty end enough enter even evening ever every everybody everyone everything exact eye
    face fact fair fall family fan far farm fast father feel feet fell felt few field fight file
    fill film final find fine finger finish fire first fish five fix flat floor flower fly follow
    food foot for forest forget fork form forward found four free fresh friend from front fruit
    full fun funny game garden gas gate gave get gift girl give glad glass go goes going gold gone
    good got grass great ground group grow guess guest guide gym had hair half hall hand hang
    happen happy hard has hat hate have he head hear heart heat heavy held hello help hen her here
    hers hi high higher hill him his hit hold hole holiday home hope horse hospital hot hotter
    hour house how hungry hurry hurt husband i ice idea if ill in inside into is island it its job
    join juice jump just keep kept key kid kill kind king kitchen knew knife know lady lake land
    large last late later laugh lazy lead learn least leave left leg less let letter level lie
    life lift light lighter lights like line list listen little live living load local lock long
    look lose lost lot loud louder love low lower luck lunch machine made main make man many map
    mark market master mate matter max may maybe me meal mean meat medium meet meeting men met
    meter middle might mild milk min mind minute miss mode moment money monkey month moon more
    morning most mother motor mountain mouse mouth move movie much mum music must my name near
    neck need neighbour neither never new news next nice night nine no nobody noise none noon nor
    normal north nose not note nothing now number o'clock of off offer office often oh oil okay
    old older on once one ones only open or other our out outside over own page paint pair pan
    pants paper parents park part party pass past pasta pay people perhaps person pet phone photo
    pick picture piece pig pin pizza place plan plane plant plate play please plenty plug pocket
    point police poor pop possible post pot pour power press pretty price private programme
    project proper pull pump push put quarter quick quiet quieter quit quite race radio rain ran
    rather reach read ready real really record rent reply rest rice rich ride right ring rise river
    road rock roll romantic roof room round row run sad safe said salt same sand save saw say school
    sea season seat second see seem sell send sense set seven several shade shadow shake shape
    share she sheet ship shirt shoe shop short should shoulder shout show shower shut shy sick
    side sign silent simple since sing sink sir sister sit six size skin skip sky sleep slide slow
    slower small smell smile smoke snow so soap soft some somebody someone something sometimes son
    song soon sorry sort sound soup south space speak special speed spell spend spoke sport spot
    spring stack stage stair stand standard star start station stay step still stone stop store
    storm story straight strange street strong study stuff such sugar suit summer sun sunny sure
    sweet swim table take tale talk tall tape taste tea teach team tell ten test than thank thanks
    that the their them then there these they thick thin thing things think third this those
    though three through throw time times tiny tip tired to today toe together told tomorrow
    tonight too took tool top touch tow town toy track train travel tree trip trouble true trust
    try turn twelve two type ugly under unit until up upon upstairs us use usual van very video
    view visit voice volume wait wake walk wall want war warm warmer was wash watch water way we
    weak wear weather week weekend weight well went were west wet what wheel when where which
    while who whole why wide wife wild will win wind window wine winter wish with woman wonder
    wood word work world worry worse worst would write wrong yard year yes yesterday yet you young
    your zero
    """
)
"""English words that people say without meaning a device."""

GENERIC = _words(
    """
    light lights lamp lamps bulb bulbs lantern spotlight lighting fan fans heater heaters radiator
    radiators ac aircon conditioner conditioning unit units blind blinds curtain curtains shade
    shades shutter window windows door doors gate gates lock locks garage tv television screen
    monitor speaker speakers stereo radio player vacuum hoover cleaner robot tap valve sprinkler
    humidifier dehumidifier purifier boiler heating thermostat sensor sensors meter detector mode
    scene list lists timer timers alarm alarms clock bell reminder reminders calendar plug plugs
    socket sockets switch outlet machine button time room rooms house home seat seats charger
    volume brightness temperature temp humidity power car phone number one ones thing things glass
    side panel box system set app apps music song level speed setting place point station shop
    store market office work roof sunroof boot trunk bedroom bathroom kitchen
    hall hallway floor garden balcony lounge corridor motion presence leak smoke mirror messages
    message route battery bay line
    """
)
"""Heads of English names that say only what kind of thing it is."""

ROOMS = _words(
    """
    attic cellar basement lounge nursery patio porch terrace hallway corridor pantry loft
    conservatory utility veranda courtyard landing driveway staircase wardrobe closet bedside
    ceiling reading outdoor indoor upstairs downstairs entrance doorway fireplace workshop
    greenhouse playroom bedroom bathroom kitchen garage balcony rooftop backyard electric digital
    wireless
    """
)
"""Where things stand, and how they are; a household need not have the room to speak of it."""

GENERIC_ZH = _words(
    """
    空调 暖气 风扇 窗帘 帘子 电视 音箱 音响 插座 插头 开关 门锁 大门 房门 车门 窗户 窗子 玻璃 模式
    清单 列表 时间 闹钟 提醒 日历 音量 亮度 温度 湿度 气温 水温 传感器 热水器 加湿器 净化器 扫地机
    机器人 机器 电器 设备 房间 屋子 座椅 充电 导航 电话 短信 应用 阀门 地暖 灯光 灯具 电灯 照明
    车窗 天窗 窗磁 门磁 声音 电量 里程 信号 位置 电源 按钮 房子 卧室 房灯 间灯 室灯 厅灯 门铃
    除湿器 除湿机 空气净化器 扫地机器人 电视机 冷气 暖风 音乐 档位 待办 备忘 事项 计时器 倒计时
    定时器 人体 传感 感应器 探测器 报警器 监测器 烟感 面板 屏幕
    """
)
"""Ends of Chinese names that say only what kind of thing it is."""

CLASS_WORDS: Mapping[str, tuple[str, ...]] = {
    "light": ("灯", "灯光", "light", "lamp"),
    "cover.curtain": ("窗帘", "帘子", "帘", "curtain", "drapes"),
    "cover.blind": ("窗帘", "帘子", "卷帘", "百叶", "帘", "blind"),
    "cover.shade": ("窗帘", "帘子", "遮阳帘", "帘", "shade", "blind", "awning"),
    "cover.window": ("窗户", "窗子", "窗", "window"),
    "cover.garage": ("车库门", "门", "garage door", "door"),
    "cover.gate": ("门", "大门", "闸门", "gate"),
    "cover.door": ("门", "door"),
    "climate": ("空调", "暖气", "ac", "air con", "aircon", "air conditioner", "heater", "radiator"),
    "fan": ("风扇", "电扇", "扇子", "fan"),
    "lock": ("锁", "门锁", "门", "lock", "door"),
    "media_player": ("音箱", "音响", "电视", "speaker", "tv", "telly", "stereo"),
    "vacuum": ("扫地机", "吸尘器", "扫地机器人", "vacuum", "hoover"),
    "valve": ("龙头", "水龙头", "水阀", "阀门", "tap", "valve"),
    "humidifier": ("加湿器", "humidifier"),
    "water_heater": ("热水器", "boiler", "water heater"),
    "switch": ("插座", "开关", "插头", "plug", "socket", "switch", "outlet"),
    "timer": ("计时器", "定时器", "钟", "timer"),
    "scene": ("模式", "场景", "mode", "scene"),
    "todo": ("清单", "列表", "list"),
    "seat": ("座椅", "座位", "椅子", "seat"),
}
"""What the things of a domain or kind are called when nobody means a particular one."""

SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯"
    "邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石"
    "廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严武戴莫孔向汤"
)
ROOM_TAILS = ("房间", "屋子", "卧室", "屋", "房", "室", "间")
SIZES_ZH = "大小老新旧左右前后上下厚薄铁主副"
"""What may be left off before a name: 厚棉帘 is 棉帘 where there is no other."""
MISHEARD = _words(
    """
    空调 窗帘 风扇 暖气 音箱 音响 电视 电视机 加湿器 除湿器 热水器 扫地机 扫地机器人 净化器 插座
    闹钟 倒计时 天窗 车窗 后备箱 座椅 卷帘 纱帘 百叶窗 落地灯 吸顶灯 床头灯 台灯 投影仪 洗衣机
    洗碗机 咖啡机 热水壶 购物清单
    """
)
"""Words for kinds of things that are written right in a sentence, however they were heard."""
TITLES = _words(
    """
    mr mrs ms miss dr doctor sir manager boss driver accountant
    reception front desk uncle aunt auntie granny grandma grandpa teacher
    professor customer client landlord landlady neighbour
    """
)
"""Words in the names of people that are no names."""
