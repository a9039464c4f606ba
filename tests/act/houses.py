"""A household with one of everything, for the tests of `act`."""

from __future__ import annotations

from pathlib import Path

from qingyu.act.actions import apply
from qingyu.act.calls import Call
from qingyu.act.state import Changes, State, changes, initial
from qingyu.act.world import Scalar, Value, World
from qingyu.act.world_file import read_world

HOUSE = """
name: house
speaker: hall
now: 2026-11-26 19:30
sun: {sunrise: "07:10", sunset: "17:05"}
floors:
  - {id: ground, names: [一楼, ground floor, downstairs]}
areas:
  - {id: hall, names: [客厅, hall, Living Room], floor: ground}
  - {id: attic, names: [阁楼, attic]}
entities:
  - id: light.desk
    names: [台灯, Desk Lamp, 小白]
    area: hall
    state: "off"
    attributes: {brightness: 80, color: white, color_temperature: 4000}
    ranges: {color_temperature: [2700, 5700]}
  - {id: light.torch, names: [台灯, torch], area: attic, state: "off"}
  - {id: switch.kettle, names: [水壶, kettle], state: "off"}
  - {id: cover.curtain, names: [窗帘, curtain], area: hall, state: open,
     attributes: {position: 60, kind: curtain}}
  - {id: cover.gate, names: [院门, gate], state: closed, attributes: {kind: gate}}
  - {id: cover.garage, names: [车库门, garage door], state: open,
     attributes: {kind: garage, position: 40}}
  - {id: cover.boot, names: [后备箱, boot], state: closed, attributes: {kind: boot}}
  - {id: cover.sunroof, names: [天窗, sunroof], state: closed,
     attributes: {kind: sunroof, position: 0}}
  - id: climate.hall
    names: [空调, AC]
    area: hall
    state: "off"
    attributes: {temperature: 24, fan: auto, current_temperature: 19.5, last_mode: heat}
    options: {mode: ["off", cool, heat]}
  - {id: fan.round, names: [风扇, fan], area: hall, state: "off",
     attributes: {speed: 33, oscillating: false}}
  - {id: lock.front, names: [门锁, front door], state: locked}
  - id: media_player.tv
    names: [电视, TV]
    area: hall
    state: "off"
    attributes: {volume: 25, muted: false, source: radio, track: 1}
    options: {source: [radio, show]}
    option_names: {show: [视频, video]}
  - {id: vacuum.dobby, names: [多比, Dobby], area: hall, state: docked,
     attributes: {area: "", battery: 86}}
  - {id: valve.roses, names: [滴灌, drip], state: closed}
  - {id: humidifier.cloud, names: [加湿器, Cloudy], state: "off",
     attributes: {humidity: 50, current_humidity: 38, mode: normal},
     options: {mode: [normal, sleep]}}
  - {id: water_heater.smith, names: [热水器, heater], state: "off",
     attributes: {temperature: 50, current_temperature: 43}}
  - {id: sensor.speed, names: [车速, speed], state: 0, attributes: {unit: km/h, kind: speed}}
  - {id: binary_sensor.rain, names: [雨感器, rain], state: "off", attributes: {kind: rain}}
  - id: scene.night
    names: [晚安, good night]
    attributes:
      sets:
        light.desk: {brightness: 5}
        lock.front: {state: locked}
        climate.hall: {state: cool}
        cover.curtain: {state: closed, position: 0}
  - id: scene.leave
    names: [出门, leave]
    attributes: {sets: {lock.front: {state: unlocked}, cover.boot: {state: open}}}
  - {id: todo.shopping, names: [购物清单, shopping list], attributes: {items: [牛奶, Eggs]}}
  - {id: timer.home, names: [计时器, timer], attributes: {timers: [{seconds: 60, label: tea}]}}
  - {id: alarm.home, names: [闹钟, alarm],
     attributes: {alarms: [{time: "07:00", days: weekdays}, {time: "09:00", days: sun}]}}
  - {id: reminder.home, names: [提醒, reminders],
     attributes: {reminders: [{text: 交费, at: "2026-11-28 10:00"}]}}
  - {id: calendar.home, names: [日历, calendar],
     attributes: {events: [{title: Piano, at: "2026-11-28 10:00"}]}}
  - {id: dialer.phone, names: [电话, phone], state: idle, attributes: {contact: ""}}
  - {id: messenger.phone, names: [短信, messages], attributes: {sent: []}}
  - {id: app.phone, names: [应用, apps], attributes: {open: ""},
     options: {app: [微信, 抖音]}, option_names: {抖音: [TikTok]}}
  - {id: navigator.car, names: [导航, sat nav], state: idle, attributes: {destination: ""},
     options: {place: [家, 公司]}}
  - {id: level.volume, names: [音量, volume], state: 40, attributes: {kind: volume}}
  - {id: select.mode, names: [驾驶模式, drive mode], state: eco, options: {state: [eco, sport]}}
  - {id: select.lamps, names: [大灯, headlights], state: auto,
     options: {state: ["off", auto, high]}}
  - {id: seat.driver, names: [座椅, seat], attributes: {heating: 0}}
  - {id: charger.car, names: [充电, charger], state: stopped, attributes: {limit: 80}}
  - id: robot.dog
    names: [旺财, Rusty]
    state: standing
    attributes: {place: hall, heading: 350, moved: 1, target: "", battery: 73}
    options: {place: [hall, attic], target: [speaker, 爷爷]}
contacts:
  - {names: [妈妈, Mum]}
  - {names: [Mike Thompson, 迈克]}
"""


def house(folder: Path, text: str = HOUSE) -> World:
    path = folder / "house.yaml"
    path.write_text(text, encoding="utf-8")
    return read_world(path)


def do(
    world: World, action: str, entity: str, state: State | None = None, **arguments: Scalar
) -> State:
    return apply(world, state or initial(world), Call(action, entity, arguments))


def changed(
    world: World, action: str, entity: str, state: State | None = None, **arguments: Scalar
) -> Changes:
    """What a call changes, from how the file says things are."""
    before = state or initial(world)
    return changes(before, do(world, action, entity, before, **arguments))


def so(world: World, entity: str, **values: Value) -> State:
    """The beginning with some values of one device."""
    return initial(world).updated(entity, values)
