"""The language: functions become stages, calling them describes work. Unaware of stores and of running."""
