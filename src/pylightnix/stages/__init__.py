"""Stages that come with the package, written with the same means as those of users."""

from pylightnix.stages.checkout import git_checkout
from pylightnix.stages.command import command
from pylightnix.stages.fetching import fetch_url
from pylightnix.stages.local import local_dir, local_file, text
from pylightnix.stages.unpacking import unpack

__all__ = ["command", "fetch_url", "git_checkout", "local_dir", "local_file", "text", "unpack"]
