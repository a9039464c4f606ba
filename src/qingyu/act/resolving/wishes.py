"""What somebody wishes who only says how it is: "I am cold", "too loud", "toast would be nice".

    wished(situation, Wish("cold"))      # warmer by two degrees, or the heating on: what there is

Each wish has ways in which it can be granted, the best one first; the first that is possible in
this household, here and now, is taken. Devices made for a purpose (a switch called "noodle pot")
are found by words in their names: `wish_words`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from qingyu.act.calls import Call
from qingyu.act.forms.terms import Who, Wish
from qingyu.act.resolving.class_words import narrowed
from qingyu.act.resolving.classes import members
from qingyu.act.resolving.situation import Situation
from qingyu.act.resolving.values import adjusting
from qingyu.act.resolving.verbs import switch
from qingyu.act.resolving.wish_words import MAIN_LIGHT, PURPOSES, SCENES, is_called, suits
from qingyu.act.understood import Do, Unable, Understood, Which
from qingyu.act.values import tidy
from qingyu.act.vocabulary import SWITCHED
from qingyu.act.world import Entity, plain

DEGREES = 2
"""How much warmer or cooler somebody wants it who is cold or hot, °C."""
_ASKED_BACK = {
    "cold": "climate", "hot": "climate", "dark": "light", "bright": "light", "private": "curtain",
    "view": "curtain", "glare": "curtain", "stuffy": "window", "dry": "humidifier",
}  # fmt: skip
Way = Callable[["Wishes"], list[Call]]


def wished(situation: Situation, form: Wish) -> Understood:
    """The calls that grant a wish; Unable where this household cannot. Where nobody knows the room,
    it is asked back before the only curtain of another one is closed."""
    wishes = Wishes(situation, form)
    candidates = wishes.elsewhere()
    asked = not situation.forced and len(candidates) > 1
    calls = next((some for way in WAYS[form.word] if (some := way(wishes))), [])
    if calls and (wishes.areas or not asked):
        return (Do(tuple(calls)),)
    if asked:
        return (Which(candidates, lambda ids: wished(situation.chosen(ids), form)),)
    return (Unable(),)


class Wishes:
    """The devices a wish can be granted with: those that were named, those in the areas it is
    about, else what the whole household has only once."""

    def __init__(self, situation: Situation, form: Wish) -> None:
        self._situation = situation
        self.world, self.state = situation.world, situation.state
        self.word, self.text = form.word, situation.marked.text
        self.areas = situation.areas(form.at) or ((situation.speaker,) if situation.speaker else ())
        who = form.who or (Who("everything") if situation.forced else None)
        self.named = situation.targets(who, form.word).entities if who else ()

    def near(self, name: str, *, only: bool = True) -> tuple[Entity, ...]:
        """The devices of a class: named, in the areas, or (only, or nobody knows where the person
        is) the one of the household."""
        some = members(self.world, name)
        if self.named:
            return tuple(one for one in some if any(one.id == other.id for other in self.named))
        there = tuple(one for one in some if one.area in self.areas)
        return there or (some if (only or not self.areas) and len(some) == 1 else ())

    def elsewhere(self) -> tuple[str, ...]:
        """The ids of what could grant it in other rooms: for the person to say which, where nobody
        knows the room, or is cold or hot in one without a heating."""
        name = _ASKED_BACK.get(self.word, "")
        if self.named or (self.areas and (name != "climate" or self.near(name, only=False))):
            return ()
        return tuple(one.id for one in members(self.world, name))

    def now(self, entity: Entity, key: str = "state") -> object:
        return self.state.get(entity.id, key)

    def is_off(self, entity: Entity) -> bool:
        return self.now(entity) in ("off", "closed", "docked", "stopped")

    def adjusted(self, entity: Entity, key: str, *, more: bool) -> list[Call]:
        """A step, if it has such a value and is not at the end of it."""
        call = adjusting(self._situation, entity, key, more=more, by=None)
        if call is None:
            return []
        action = entity.vocabulary.actions[call.action]
        for name, value in call.arguments.items():
            sets = action.parameters[name].sets
            if not entity.supports(sets) or self.now(entity, sets) == value:
                return []
        return [call]

    def on(self, entities: Iterable[Entity]) -> list[Call]:
        """Those on that are off."""
        calls = [switch(one, on=True) for one in entities if self.is_off(one)]
        return [one for one in calls if one is not None]

    def off(self, entities: Iterable[Entity]) -> list[Call]:
        calls = [switch(one, on=False) for one in entities if not self.is_off(one)]
        return [one for one in calls if one is not None]

    def opened(self, entities: Iterable[Entity], *, wide: bool) -> list[Call]:
        verb = "open" if wide else "close"
        return [Call(verb, one.id) for one in entities if self.is_off(one) == wide]

    def driven(self, words: tuple[str, ...]) -> list[Call]:
        """The way to the first place that the navigation here knows by such words."""
        for one in self.near("navigator"):
            for place in one.options.get("place", ()):
                names = (place, *one.option_names.get(place, ()))
                if any(word in plain(name) for name in names for word in words):
                    return [Call("navigate", one.id, {"place": place})]
        return []

    def called(self, words: tuple[str, ...], *domains: str) -> tuple[Entity, ...]:
        """The devices with such words in their names: here, else anywhere."""
        some = [
            one
            for one in self.world.entities
            if (not domains or one.domain in domains) and is_called(one, words)
        ]
        here = tuple(one for one in some if one.area in self.areas)
        return here or tuple(some)


# Warm and cold.


def _warmer(wishes: Wishes) -> list[Call]:
    return _felt(wishes, "heat", 1)


def _cooler(wishes: Wishes) -> list[Call]:
    return _felt(wishes, "cool", -1)


def _felt(wishes: Wishes, mode: str, direction: int) -> list[Call]:
    """Warmer or cooler by what heats or cools here: on in that mode, or two degrees more. What
    does the opposite is turned down, or off where it can be turned down no more."""
    some = wishes.near("climate")
    opposite = "cool" if mode == "heat" else "heat"
    running = [one for one in some if wishes.now(one) in (mode, "auto", opposite)]
    for one in sorted(
        running, key=lambda one: (mode, "auto", opposite).index(str(wishes.now(one)))
    ):
        degrees = wishes.now(one, "temperature")
        attribute = one.attribute("temperature")
        if not isinstance(degrees, int | float) or attribute is None:
            continue
        low, high = one.range_of("temperature", attribute)
        wanted = degrees + direction * DEGREES
        wanted = tidy(
            max(wanted if low is None else low, min(wanted if high is None else high, wanted))
        )
        if wanted != degrees:
            return [Call("set", one.id, {"temperature": wanted})]
        if wishes.now(one) == opposite:
            return [Call("turn_off", one.id)]
    able = [one for one in some if mode in one.options.get("mode", ()) and one not in running]
    # What does only this is better than what can do it too.
    able.sort(key=lambda one: len(one.options.get("mode", ())))
    return [Call("set", able[0].id, {"mode": mode})] if able else []


def _seat_warm(wishes: Wishes) -> list[Call]:
    return [
        call for one in wishes.near("seat") for call in wishes.adjusted(one, "heating", more=True)
    ]


def _seat_cool(wishes: Wishes) -> list[Call]:
    seats = wishes.near("seat")
    return [call for one in seats for call in wishes.adjusted(one, "ventilation", more=True)]


# Light.


def _lights(wishes: Wishes) -> tuple[Entity, ...]:
    return wishes.near("light", only=False)


def _brighter(wishes: Wishes) -> list[Call]:
    lit = [one for one in _lights(wishes) if not wishes.is_off(one)]
    return [call for one in lit for call in wishes.adjusted(one, "brightness", more=True)]


def _lights_on(wishes: Wishes) -> list[Call]:
    """The main light where there is one, else all of here."""
    dark = [one for one in _lights(wishes) if wishes.is_off(one)]
    main = [one for one in dark if is_called(one, MAIN_LIGHT)]
    return wishes.on(main[:1] or dark)


def _dimmer(wishes: Wishes) -> list[Call]:
    """What shines here is dimmed, or put out where it cannot be."""
    calls = []
    for one in _lights(wishes):
        if not wishes.is_off(one):
            calls += wishes.adjusted(one, "brightness", more=False) or wishes.off((one,))
    return calls


def _screen(*, more: bool) -> Way:
    return lambda wishes: [
        call
        for one in wishes.near("screen")
        for call in wishes.adjusted(one, "brightness", more=more)
    ]


def _headlights(wishes: Wishes) -> list[Call]:
    some = [one for one in wishes.named if one.domain == "select"]
    return wishes.on(some)


# Sound.


def _players(wishes: Wishes) -> list[Entity]:
    """What plays: named, here, else anywhere."""
    some = [one for one in wishes.near("media", only=False) if wishes.now(one) == "playing"]
    if not some and not wishes.named:
        some = [one for one in wishes.world.select(domain="media_player")
                if wishes.now(one) == "playing"]  # fmt: skip
    return list(narrowed("media", some, wishes.text))


def _quieter(wishes: Wishes) -> list[Call]:
    calls = []
    for one in _players(wishes):
        calls += wishes.adjusted(one, "volume", more=False) or [Call("pause", one.id)]
    return calls


def _louder(wishes: Wishes) -> list[Call]:
    calls = []
    for one in _players(wishes):
        if wishes.now(one, "muted") is True:
            calls.append(Call("unmute", one.id))
        calls += wishes.adjusted(one, "volume", more=True)
    return calls


def _level(*, more: bool) -> Way:
    def way(wishes: Wishes) -> list[Call]:
        levels = [one for one in wishes.near("volume", only=False) if one.domain == "level"]
        levels = levels or list(wishes.world.select(domain="level", kind="volume"))
        return [call for one in levels[:1] for call in wishes.adjusted(one, "volume", more=more)]

    return way


def _music(wishes: Wishes) -> list[Call]:
    players = wishes.near("media")
    paused = [one for one in players if wishes.now(one) in ("paused", "idle")]
    return [Call("play", one.id) for one in (paused or list(players))[:1]]


# Air.


def _windows(*, wide: bool) -> Way:
    return lambda wishes: wishes.opened(wishes.near("window", only=False), wide=wide)


def _roof(wishes: Wishes) -> list[Call]:
    """A car's."""
    some = [one for one in members(wishes.world, "cover") if one.kind == "sunroof"]
    return wishes.opened(some[:1], wide=True)


def _all_windows_shut(wishes: Wishes) -> list[Call]:
    some = [one for one in members(wishes.world, "cover") if one.kind in ("window", "sunroof")]
    return wishes.opened(some, wide=False)


def _fan(wishes: Wishes) -> list[Call]:
    fans = wishes.near("fan", only=False)
    on = wishes.on(fans)
    return on or [call for one in fans for call in wishes.adjusted(one, "speed", more=True)]


def _moister(wishes: Wishes) -> list[Call]:
    some = wishes.near("humidifier")
    on = wishes.on(some)
    return on or [call for one in some for call in wishes.adjusted(one, "humidity", more=True)]


def _humidifier_off(wishes: Wishes) -> list[Call]:
    return wishes.off(wishes.near("humidifier", only=False))


def _climate_mode(mode: str) -> Way:
    def way(wishes: Wishes) -> list[Call]:
        able = [one for one in wishes.near("climate") if mode in one.options.get("mode", ())]
        return [Call("set", one.id, {"mode": mode}) for one in able[:1] if wishes.now(one) != mode]

    return way


# Curtains, days, rooms.


def _covers(*, wide: bool) -> Way:
    def way(wishes: Wishes) -> list[Call]:
        some = wishes.near("curtain", only=False) + wishes.near("blind", only=False)
        return wishes.opened(some, wide=wide)

    return way


def _scene(wishes: Wishes) -> list[Call]:
    found = [one for one in wishes.called(SCENES[wishes.word], "scene") if suits(one, wishes.word)]
    return [Call("activate", one.id) for one in found[:1]]


def _here_off(wishes: Wishes) -> list[Call]:
    """For sleep: lights out here, else what plays off, else curtains closed: the least of it."""
    return (
        wishes.off(wishes.near("light", only=False))
        or wishes.off(wishes.near("media", only=False))
        or _covers(wide=False)(wishes)
    )


def _house_off(wishes: Wishes) -> list[Call]:
    """For leaving: lights, players, fans and air conditioners off everywhere, doors locked."""
    left = [one for one in wishes.world.entities
            if one.domain in SWITCHED and one.domain not in ("switch", "water_heater")]  # fmt: skip
    locks = [Call("lock", one.id) for one in wishes.world.select(domain="lock")
             if wishes.now(one) == "unlocked"]  # fmt: skip
    return wishes.off(left) + locks


def _vacuum(wishes: Wishes) -> list[Call]:
    some = wishes.near("vacuum") or wishes.world.select(domain="vacuum")[:1]
    return [Call("start", one.id) for one in some[:1] if wishes.now(one) != "cleaning"]


def _valve(wishes: Wishes) -> list[Call]:
    some = wishes.called(PURPOSES["plants"], "valve", "switch") or wishes.near("valve")
    return [call for one in some[:1] for call in wishes.on((one,))]


def _boiler(wishes: Wishes) -> list[Call]:
    some = wishes.near("water_heater") or wishes.world.select(domain="water_heater")[:1]
    return wishes.on(some) or [
        call for one in some for call in wishes.adjusted(one, "temperature", more=True)
    ]


def _charging(wishes: Wishes) -> list[Call]:
    starts = [Call("start", one.id) for one in wishes.near("charger") if wishes.is_off(one)]
    robots = [Call("dock", one.id) for one in wishes.near("robot") if not wishes.is_off(one)]
    return (
        starts
        or robots
        or wishes.driven(("加油", "petrol", "gas station", "fuel", "充电", "charging"))
    )


def _purpose(wishes: Wishes) -> list[Call]:
    """A device made for it, by its name."""
    words = PURPOSES[wishes.word]
    found = wishes.called(words, "switch") or wishes.called(words, *SWITCHED)
    return wishes.on(found[:1])


def _purpose_here(wishes: Wishes) -> list[Call]:
    """The same in this room only: another room's heater warms nobody."""
    words = PURPOSES[wishes.word]
    found = [one for one in wishes.called(words, "switch", "light", "fan")
             if one.area in wishes.areas or len(wishes.world.areas) < 2]  # fmt: skip
    return wishes.on(found[:1])


WAYS: dict[str, tuple[Way, ...]] = {
    "cold": (_warmer, _seat_warm, _purpose_here, _windows(wide=False)),
    "hot": (_cooler, _fan, _purpose_here, _seat_cool, _windows(wide=True), _roof),
    "dark": (_headlights, _brighter, _lights_on, _covers(wide=True)),
    "bright": (_dimmer, _screen(more=False), _covers(wide=False)),
    "glare": (_covers(wide=False), _dimmer),
    "loud": (_quieter, _level(more=False), _windows(wide=False)),
    "silent": (_louder, _level(more=True)),
    "stuffy": (_windows(wide=True), _fan, _purpose_here, _climate_mode("fan_only"), _roof),
    "smell": (_fan, _windows(wide=True), _purpose_here),
    "dry": (_moister, _purpose_here),
    "damp": (_purpose_here, _fan, _climate_mode("dry"), _humidifier_off, _windows(wide=True)),
    "private": (_covers(wide=False),),
    "view": (_covers(wide=True), _roof),
    "sleep": (_scene, _here_off),
    "wake": (_scene, _covers(wide=True), _lights_on),
    "leave": (_scene, _house_off),
    "return": (_scene, _lights_on),
    "movie": (_scene, _dimmer),
    "read": (_scene, _purpose_here, _brighter, _lights_on),
    "work": (_scene, _purpose_here, _lights_on),
    "bored": (_music,),
    "focus": (_purpose, _scene, _quieter),
    "dinner": (_scene,),
    "party": (_scene, _music),
    "dirty": (_vacuum,),
    "plants": (_valve,),
    "bath": (_boiler,),
    "rain": (_all_windows_shut,),
    "charge": (_charging,),
    **dict.fromkeys(
        ("hungry", "noodles", "rice", "toast", "tea", "coffee", "laundry", "dishes", "mosquito"),
        (_purpose,),
    ),
}
