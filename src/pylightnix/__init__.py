"""Stages with luck in them: describe work, realize it into an immutable store, choose which results count."""
