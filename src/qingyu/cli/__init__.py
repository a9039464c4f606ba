"""The command line: one module per verb, each parses and delegates.

A verb's module has `register(app)`; `main.py` lists the verbs and starts them. Modules here
import nothing heavy at the top, so that `qingyu --help` answers at once.
"""
