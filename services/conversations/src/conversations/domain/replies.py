"""Canned replies: texts with variables, filled in once and never read again. Pure."""

import re
from collections.abc import Mapping

from conversations.domain.errors import VariableUnknown

#: What may stand in a text as ``{{name}}``.
VARIABLES = ("contact.name", "contact.first_name", "contact.phone", "agent.name", "agent.first_name", "number.name")

_VARIABLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def check(text: str) -> None:
    """Every variable in *text* exists.  Raises: VariableUnknown."""
    for name in _VARIABLE.findall(text):
        if name not in VARIABLES:
            raise VariableUnknown(f"There is no {name[:40]!r}; there are {', '.join(VARIABLES)}.")


def fill(text: str, values: Mapping[str, str | None]) -> str:
    """Put the values in; what is not known is left out, and a value that looks like a variable stays as it is."""
    return _VARIABLE.sub(lambda match: values.get(match[1]) or "", text)


def first(name: str | None) -> str | None:
    """Give the first of somebody's names."""
    return name.split()[0] if name and name.split() else None
