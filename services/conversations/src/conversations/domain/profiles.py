"""The states that a contact can have, and the fields that an account keeps of its contacts: what fits them and what does not."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal
from uuid import UUID

import msgspec
from contracts import ids
from contracts.ids import TenantId

from conversations.domain.errors import FieldInvalid

Kind = Literal["text", "number", "date", "boolean", "choice"]
Value = str | float | bool | None

TEXT_MAX = 1_000
NUMBER_MAX = 1e15


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One state, such as *new* or *customer*; *color* is ``#rrggbb``."""

    id: UUID
    name: str
    color: str


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the account's own.

    Attributes:
        key: What programs call it.
        choices: Of the kind ``choice`` alone.
    """

    key: str
    name: str
    kind: Kind
    choices: tuple[str, ...] = ()


def usual(tenant: TenantId) -> tuple[State, ...]:
    """Give the states of an account that has set none: the same ids whenever it is asked."""
    names = (("Nuevo", "#228be6"), ("Interesado", "#fab005"), ("Cliente", "#40c057"), ("Perdido", "#868e96"))
    return tuple(State(id=ids.derived("contact state", tenant, name), name=name, color=color) for name, color in names)


def checked(fields: Sequence[Field], values: Mapping[str, Value]) -> dict[str, Value]:
    """Give *values* as they are kept; None takes a value away.  Raises: FieldInvalid."""
    known = {field.key: field for field in fields}
    kept: dict[str, Value] = {}
    for key, value in values.items():
        field = known.get(key)
        if field is None:
            raise FieldInvalid(f"There is no field {key!r}: make it in the settings first.")
        if value is not None and not _fits(field, value):
            raise FieldInvalid(f"The field {key!r} is a {field.kind}: {_HINTS[field.kind]}")
        kept[key] = value
    return kept


_HINTS: dict[Kind, str] = {
    "text": f"up to {TEXT_MAX} characters.",
    "number": "a number of up to 15 digits.",
    "date": "written as 2026-11-23.",
    "boolean": "true or false.",
    "choice": "one of its choices.",
}


def _fits(field: Field, value: str | float | bool) -> bool:
    match field.kind:
        case "text":
            return isinstance(value, str) and len(value) <= TEXT_MAX and "\0" not in value
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < NUMBER_MAX
        case "boolean":
            return isinstance(value, bool)
        case "choice":
            return value in field.choices
        case "date":
            return isinstance(value, str) and _is_date(value)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
