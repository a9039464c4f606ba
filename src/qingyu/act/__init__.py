"""Act: what people say becomes checked actions at home, on the phone, in the car, of a robot.

world = read_world(Path("home.yaml"))                # qingyu.act.world_file
check(world, state, Call("turn_on", "light.desk"))   # qingyu.act.guard
"""
