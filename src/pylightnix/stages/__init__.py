"""Stages that come with the package, written with the same means as those of users."""

from pylightnix.stages.command import command

__all__ = ["command"]
