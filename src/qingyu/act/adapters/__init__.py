"""Real devices: what it takes to move them, each kind of bus in one file and one process.

    household = Household(read_world(path))     # qingyu.act.adapters.household: a `Devices`
    household.wait()                            # until the devices are found
    household.carry_out(Call("turn_on", "light.desk"))

An adapter is a module here with one function, `async def run(link, settings)`; its name is the
`adapter` of the household's file. What `link` offers is in `link.py`, and is all it needs:

    link.entity({...}); link.gone(id)       # devices, as a household's file describes them
    link.values(id, {...})                  # how one is now
    link.on_call(handler)                   # do something, and say what came of it
    link.connected(True); link.settled()

It runs in a process that can open no connection (`worker.py`); a second one, `door.py`, connects
for it, and only to the addresses that the household's file gives that adapter.
"""
