"""Random worlds of stages, a plain model of what realizing them must do, and the property that holds one to the other.

`keep_up(history, folder)` of `upkeep` lives through a history; `strategies` makes histories with Hypothesis, which is
needed only there.
"""
