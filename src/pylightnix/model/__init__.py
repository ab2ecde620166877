"""The types that describing, keeping and making share. Pure: no I/O, no clock, no threads."""
