"""`exact`: references, prefixes and realizations; never a build."""

from __future__ import annotations

from typing import Any

import pytest

from pylightnix.dsl import match
from pylightnix.errors import ConfigError, MatcherError, UnknownReferenceError
from pylightnix.model.realization import Realization
from pylightnix.names import RealizationRef
from pylightnix.testing.matching import reuse
from pylightnix.testing.memory import candidates_of


def test_exact_by_reference_prefix_and_realization() -> None:
    candidates = candidates_of("a", "b", "c")
    one, two, three = candidates
    assert reuse(match.exact(two.ref), candidates).chosen == (two,)
    assert reuse(match.exact(two), candidates).chosen == (two,)
    assert match.exact(two) == match.exact(two.ref) == match.exact(str(two.ref))
    assert reuse(match.exact(two.ref.short), candidates).chosen == (two,)
    assert reuse(match.exact(f"{two.ref.short}-model"), candidates).chosen == (two,)
    assert reuse(match.exact(three, one.ref.short, two.ref), candidates).chosen == (three, one, two)
    assert reuse(match.exact(three, one), candidates).why == "given by 2 references"


def test_exact_never_builds() -> None:
    candidates = candidates_of("a", "b")
    unknown = "0" * 40 + "-model"
    with pytest.raises(UnknownReferenceError) as caught:
        match.exact(unknown).match(candidates)
    assert unknown in caught.value.what
    assert all(c.ref in caught.value.hint for c in candidates)
    with pytest.raises(UnknownReferenceError, match="there is no candidate"):
        match.exact(unknown).match(())
    with pytest.raises(UnknownReferenceError):
        match.exact(f"{candidates[0].ref.short}-other").match(candidates)


def test_exact_wants_prefixes_that_tell_realizations_apart() -> None:
    (one,) = candidates_of("a")
    twin = Realization[Any](_renamed(one, one.ref[:12] + "0" * 28 + "-model"), one.shelf)
    other = Realization[Any](_renamed(one, "f" * 40 + "-model"), one.shelf)
    with pytest.raises(UnknownReferenceError, match="several candidates begin with") as caught:
        match.exact(one.ref[:10]).match((one, twin, other))
    assert twin.ref in caught.value.hint
    assert other.ref not in caught.value.hint
    assert reuse(match.exact(one.ref[:20]), (one, twin)).chosen == (one,)


def _renamed(realization: Realization[Any], ref: str) -> Any:
    record = realization.record
    return type(record)(
        RealizationRef(ref), record.home, record.key, record.tree, record.value, record.promises, 0, 0, record.made_in
    )


def test_exact_refuses_duplicates_at_once_or_when_they_show() -> None:
    (one,) = candidates_of("a")
    for refs in ((one, one), (one, one.ref), ("01234567", "01234567")):
        with pytest.raises(ConfigError, match="given twice"):
            match.exact(*refs)
    with pytest.raises(MatcherError, match="name one realization"):
        match.exact(one, one.ref.short).match((one,))


@pytest.mark.parametrize(
    "bad", ["", "0123456", "ABCDEF01", "model", "01234567 ", "01234567-\n", "../etc", 12345678, None]
)
def test_exact_takes_references_of_eight_digits_or_more(bad: Any) -> None:
    with pytest.raises(ConfigError, match="no reference to a realization"):
        match.exact(bad)


def test_exact_of_nothing_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no reference is given"):
        match.exact()
