"""From a form to what it means in one household now: which devices, which values, which calls."""
