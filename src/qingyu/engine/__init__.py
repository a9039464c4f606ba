"""Runs a model: from tokens to streamed text.

    from qingyu.engine.loading import load
    print(load("default").generate("Once upon a time", max_tokens=20).read().text)

Read in this order: `model.py` (what users hold), `session.py` (one forward after the other),
`sampling.py` (logits to token), `prefix.py` (what is already computed). The engine knows
nothing of HTTP, of benchmarks or of the command line.
"""
