"""What every test shares: how hard hypothesis looks (`make hunt` sets HYPOTHESIS_PROFILE=hunt)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: the machines that run these are shared, and a slow example is no wrong one.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "hunt", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
