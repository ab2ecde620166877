"""Closures in one file: written, read as from a stranger, and taken in."""
