"""For all tests: Hypothesis does not hold a busy machine against a test, and tries the same examples each time.

And an assert of a test counts under `python -O` too, also one of the contract suites and of what is beside the tests.
What tests start holds its output back where users' programs do, whatever the machine of the tests has set.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "patient", deadline=None, derandomize=True, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large)
)
settings.load_profile("patient")

pytest.register_assert_rewrite("pylightnix.testing")

os.environ.pop("PYTHONUNBUFFERED", None)
