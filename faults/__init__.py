"""The fault campaign: kills, refusals, preemptions and power losses at every change that a store's operations make.

`python -m faults` (or `make faults`) does all of it and prints a table; `tests/faults` does a sample.
"""
