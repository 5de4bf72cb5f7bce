"""Every test of every member has servicekit's servers at hand."""

from contextlib import suppress
from importlib import import_module

from hypothesis import settings

pytest_plugins = ["servicekit.testing.fixtures"]

# `sim` and `bench` are folders here and packages too: met first as packages, or pytest takes the folders for them.
for name in ("sim", "bench"):
    with suppress(ModuleNotFoundError):
        import_module(name)

# No deadline: how long an example takes says how busy the machine is.
settings.register_profile("default", settings.get_profile("default"), deadline=None)
settings.load_profile("default")
settings.register_profile("fuzz", max_examples=5_000, deadline=None)
