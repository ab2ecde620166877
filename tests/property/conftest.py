"""How far the random search for counterexamples goes.

By default the same histories are tried each time, as continuous integration needs it; PYLIGHTNIX_PROPERTY=long makes it
a campaign of new ones. The names are our own: a profile named "ci" would change the other tests too.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_PATIENT = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "property-ci", max_examples=120, derandomize=True, database=None, deadline=None, suppress_health_check=_PATIENT
)
settings.register_profile("property-long", max_examples=5_000, deadline=None, suppress_health_check=_PATIENT)
