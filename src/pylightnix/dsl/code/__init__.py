"""Code identity: a hash of what a builder means, whatever its text looks like. Unaware of stores and of running."""

from __future__ import annotations

from pylightnix.dsl.code.identity import Memo, identify, identity_text, normal_form, same_code
from pylightnix.dsl.code.results import CodeIdentity, Unfollowed

__all__ = ["CodeIdentity", "Memo", "Unfollowed", "identify", "identity_text", "normal_form", "same_code"]
