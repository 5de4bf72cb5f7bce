"""What browsers hear of what happens."""

import servicekit  # noqa: F401  (first: it loads some libraries without what they would take along)
