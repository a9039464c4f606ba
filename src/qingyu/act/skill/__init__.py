"""The skill model: `model` writes a form for a sentence, `sentences` makes what it learns from."""
