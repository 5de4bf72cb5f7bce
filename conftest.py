"""Every test of every member has servicekit's servers at hand."""

pytest_plugins = ["servicekit.testing.fixtures"]
