"""A library is loaded without another one that it takes along where it finds it, and that nothing here has a use for.

Other parts of Clarin have both installed, and each process would pay for them at its start. structlog draws tracebacks with
rich, which stand in no log of ours. Imported before anything else of this library.
"""

import sys
from importlib import import_module


def load(library: str, *, without: str) -> None:
    """Import *library*, which takes *without* for not installed; where either is loaded already there is nothing to save."""
    if library in sys.modules or without in sys.modules:
        return
    sys.modules[without] = None  # type: ignore[assignment]  # so says the import system that there is no such module
    try:
        import_module(library)
    finally:
        del sys.modules[without]


load("structlog", without="rich")
