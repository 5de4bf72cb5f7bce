"""What every test may use; the fixtures are the pytest plugin ``servicekit.testing.fixtures``."""

from servicekit.testing.waiting import eventually

__all__ = ["eventually"]
