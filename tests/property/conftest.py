"""How far the random search for counterexamples goes.

By default the same histories are tried each time, as continuous integration needs it; PYLIGHTNIX_PROPERTY=long makes it
a campaign of new ones. The names are our own: a profile named "ci" would change the other tests too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from pylightnix.engine import recollection

_PATIENT = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "property-ci", max_examples=120, derandomize=True, database=None, deadline=None, suppress_health_check=_PATIENT
)
settings.register_profile("property-long", max_examples=5_000, deadline=None, suppress_health_check=_PATIENT)


@pytest.fixture(autouse=True, scope="session")
def remember_small_closures() -> Iterator[None]:
    """Closures are small here, and remembering is to be tried too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recollection, "FEWEST", 1)
        yield
