"""Every test of every member has servicekit's servers at hand."""

from contextlib import suppress
from importlib import import_module

from hypothesis import HealthCheck, settings

pytest_plugins = ["servicekit.testing.fixtures"]

# `sim` and `bench` are folders here and packages too: met first as packages, or pytest takes the folders for them.
for name in ("sim", "bench"):
    with suppress(ModuleNotFoundError):
        import_module(name)

# `make test` tries the same examples each time, and how long one takes says how busy the machine is; `make fuzz` tries others.
settings.register_profile("gate", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")
