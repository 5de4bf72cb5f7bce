"""One row of somebody's list as what it says of a contact, or the reason why it cannot be taken."""

import re
from collections.abc import Mapping as Of
from collections.abc import Sequence
from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from conversations.domain import phones
from conversations.domain.columns import Mapping, words
from conversations.domain.errors import FieldInvalid, PhoneInvalid
from conversations.domain.profiles import Field, State, Value, checked

NAME_MAX = 100
EMAIL_MAX = 200
TAG_MAX = 100
TAGS_MAX = 20
CELL_KEPT = 200
"""Characters of a cell that a refused row keeps."""

Why = Literal[
    "phone-missing", "phone-invalid", "phone-twice", "name-too-long", "email-invalid", "tags-invalid", "tag-unknown", "state-unknown",
    "field-invalid", "too-many-tags",
]  # fmt: skip


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a row says of a contact; what its cells leave empty it does not say.

    Attributes:
        row: Its place in the file, from 1.
        phone: Digits with the country code.
        tags: By their names.
    """

    row: int
    phone: str
    name: str | None = None
    email: str | None = None
    tags: tuple[str, ...] = ()
    state: UUID | None = None
    fields: dict[str, str | float | bool] = {}


class Refused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row that cannot be taken.

    Attributes:
        column: The place of the cell that is in the way, from 0.
    """

    row: int
    why: Why
    column: int | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as far as a list can change it.

    Attributes:
        name: As it was entered here.
    """

    name: str | None = None
    email: str | None = None
    state: UUID | None = None
    fields: Of[str, str | float | bool] = {}
    tags: frozenset[UUID] = frozenset()

    def told(self, said: Said, tags: Of[str, UUID], *, overwrite: bool) -> "Person":
        """Give the contact as it is after a row: what the row says, or only what was empty before; a tag is never taken away."""
        fields = {**self.fields, **said.fields} if overwrite else {**said.fields, **self.fields}
        return Person(
            name=(said.name or self.name) if overwrite else (self.name or said.name),
            email=(said.email or self.email) if overwrite else (self.email or said.email),
            state=(said.state or self.state) if overwrite else (self.state or said.state),
            fields=fields,
            tags=self.tags | {tags[words(name)] for name in said.tags if words(name) in tags},
        )


class _Unusable(Exception):
    def __init__(self, why: Why) -> None:
        self.why: Why = why


class Reader:
    """Reads the rows of one list."""

    def __init__(self, mapping: Mapping, states: Sequence[State], fields: Sequence[Field]) -> None:
        self._columns = [(place, target) for place, target in enumerate(mapping.columns) if target is not None]
        self._country = mapping.country
        self._states = {words(state.name): state.id for state in states}
        self._fields = {field.key: field for field in fields}

    def read(self, row: int, cells: Sequence[str]) -> Said | Refused | None:
        """Give what the row says; None where it is empty."""
        if not any(cells):
            return None
        names: list[str] = []
        said: dict[str, object] = {}
        fields: dict[str, Value] = {}
        for place, target in self._columns:
            cell = cells[place].strip() if place < len(cells) else ""
            if not cell:
                continue
            try:
                if target == "name":
                    names.append(cell)
                elif target.startswith("field:"):
                    fields |= self._field(target.removeprefix("field:"), cell)
                else:
                    said[target] = self._cell(target, cell)
            except _Unusable as unusable:
                return Refused(row=row, why=unusable.why, column=place)
        name = " ".join(" ".join(names).split())
        if len(name) > NAME_MAX:
            return Refused(row=row, why="name-too-long", column=next(place for place, target in self._columns if target == "name"))
        if "phone" not in said:
            return Refused(row=row, why="phone-missing", column=next(place for place, target in self._columns if target == "phone"))
        return Said(row=row, name=name or None, fields=fields, **said)  # type: ignore[arg-type]

    def _cell(self, target: str, cell: str) -> object:
        match target:
            case "phone":
                try:
                    return phones.international(cell, self._country)
                except PhoneInvalid as error:
                    raise _Unusable("phone-invalid") from error
            case "email":
                if (address := email(cell)) is None:
                    raise _Unusable("email-invalid")
                return address
            case "tags":
                return _tags(cell)
            case _:
                state = self._states.get(words(cell))
                if state is None:
                    raise _Unusable("state-unknown")
                return state

    def _field(self, key: str, cell: str) -> Of[str, Value]:
        field = self._fields[key]
        try:
            return checked([field], {key: value(field, cell)})
        except FieldInvalid as error:
            raise _Unusable("field-invalid") from error


def email(text: str) -> str | None:
    """Give an address of mail in lower case; None where it is none."""
    address = text.strip().removeprefix("mailto:").lower()
    return address if len(address) <= EMAIL_MAX and re.fullmatch(r"[^@\s\"<>,;\0]+@[^@\s\"<>,;\0]+\.[^@\s\"<>,;\0.]{2,}", address) else None


def value(field: Field, cell: str) -> Value:
    """Read a cell as what the field takes; what cannot be read so is given as it stands."""
    match field.kind:
        case "number":
            return _number(cell)
        case "boolean":
            return _BOOLEANS.get(words(cell), cell)
        case "date":
            return _date(cell)
        case "choice":
            return next((choice for choice in field.choices if words(choice) == words(cell)), cell)
    return cell


_BOOLEANS = dict.fromkeys(("si", "s", "sim", "yes", "y", "true", "verdadero", "verdadeiro", "1", "x"), True) | dict.fromkeys(
    ("no", "n", "nao", "false", "falso", "0"), False
)


def _number(text: str) -> Value:
    bare = re.sub(r"^[^\d\-]*?(?=-?\d)|[\s\u00a0']|[^\d]+$", "", text)
    if not re.fullmatch(r"-?\d[\d.,]*", bare):
        return text
    marks = [c for c in bare if c in ".,"]
    if len(set(marks)) == 2:
        decimal = marks[-1]
    elif len(marks) == 1 and not re.fullmatch(r"-?[1-9]\d{0,2}[.,]\d{3}", bare):
        decimal = marks[0]
    else:
        decimal = ""
    whole = "".join(c for c in bare if c not in ".," or c == decimal)
    try:
        return float(whole.replace(decimal, ".")) if decimal else float(whole)
    except ValueError:
        return text


def _date(text: str) -> str:
    first = text.strip().split("T")[0].split(" ")[0]
    if found := re.fullmatch(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})", first):
        day, month, year = (int(part) for part in found.groups())
        day, month = (month, day) if month > 12 else (day, month)
    elif found := re.fullmatch(r"(\d{4})[/.\-](\d{1,2})[/.\-](\d{1,2})", first):
        year, month, day = (int(part) for part in found.groups())
    else:
        return text
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return text


def _tags(cell: str) -> tuple[str, ...]:
    names = {words(name) or name: " ".join(name.split()) for name in re.split(r"[,;|\n]| ::: ", cell) if name.strip(" *")}
    if len(names) > TAGS_MAX:
        raise _Unusable("too-many-tags")
    if any(len(name) > TAG_MAX for name in names.values()):
        raise _Unusable("tags-invalid")
    return tuple(names.values())
