"""What the one file of a household keeps: what was done, will be done, was taught; undo."""
