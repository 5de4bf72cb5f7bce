"""The plumbing of a service, without a business noun."""

from servicekit import bare  # noqa: F401  (first: see there)
