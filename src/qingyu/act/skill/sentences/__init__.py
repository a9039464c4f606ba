"""The skill model's training sentences: many households, many ways to say things, what is meant.

from qingyu.act.skill.sentences.generator import sentences
example = next(sentences(7, "zh"))
"""
