"""What every test shares: how hard hypothesis looks (`make hunt` sets HYPOTHESIS_PROFILE=hunt).

Where CI is set the examples are the same each time, so that a change is judged by what it changed. A developer's run
and the hunt draw new ones each time, and what they find becomes an `@example`.
"""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# No deadline: the machines that run these are shared, and a slow example is no wrong one.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "hunt", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

# A run that was started in the background of a script ignores these keys' signals, and so would every shell in it.
for number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
