"""The benchmark of acting: households, sentences written by hand, and who is right.

    for world, cases in read_split("test", language="zh"):     # qingyu.act.bench.cases
        judge(case, world, after, reply, schedules)            # qingyu.act.bench.judging

worlds/, test/ and dev/ are data; how they are written: README.md there.
"""
