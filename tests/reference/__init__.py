"""Independent computations that the engine is checked against.

Only `core` imports qingyu; the truth (`forward`, `blocks`, `random_models`, `compare`) does not.
"""
