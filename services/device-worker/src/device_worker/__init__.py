"""The numbers: their registry and their sends, and the sessions that workers hold."""

import servicekit  # noqa: F401  (first: it loads some libraries without what they would take along)
