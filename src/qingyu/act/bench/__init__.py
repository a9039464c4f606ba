"""The benchmark of acting: households, sentences written by hand, who is right, and who was asked.

    for world, cases in read_split("test", language="zh"):     # qingyu.act.bench.cases
        judge(case, world, after, reply, schedules)            # qingyu.act.bench.judging
    run(Selection.of_split("dev"), FastSystem(), folder)       # qingyu.act.bench.running

worlds/, test/ and dev/ are data; how they are written: README.md there. How it is run and what
is counted: docs/act-bench.md.
"""
