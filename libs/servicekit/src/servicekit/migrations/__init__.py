"""Schemas, roles and their changes.

Each service owns one schema and three roles of the same stem: ``<name>_owner`` (nobody signs in as it; it owns the schema and
what is in it), ``<name>`` (the service, which sees the tenants of its transaction) and ``<name>_system`` (timers, relays, logins:
what has no tenant, on just the tables that `tables.system_access` opens). A version file of a service is a plain alembic one;
``env.py`` is written once, here.
"""

from servicekit.migrations.lint import lint
from servicekit.migrations.names import Names, names
from servicekit.migrations.runner import current, provision

__all__ = ["Names", "current", "lint", "names", "provision"]
