"""Which column of somebody's list is what of a contact: guessed from what stands above it, and said by whoever imports it."""

import re
import unicodedata
from collections.abc import Sequence

import msgspec

from conversations.domain import phones
from conversations.domain.errors import ColumnsInvalid
from conversations.domain.profiles import Field

#: What a column can be, besides ``field:`` and the key of one of the account's own fields.
TARGETS = ("phone", "name", "email", "tags", "state")
MOST = 100
"""Columns of a list."""

_WORDS: dict[str, tuple[str, ...]] = {
    "phone": (
        *("phone", "telephone", "tel", "mobile", "cell", "cellphone", "whatsapp", "wa", "phone number", "mobile number", "cell phone"),
        *("mobile phone", "whatsapp number", "phone 1 value", "numero", "telefono", "celular", "movil", "fone", "telefone"),
        *("numero de telefono", "numero de telefone", "numero de celular", "numero de whatsapp", "telefono movil", "telefono celular"),
        *("telefone celular", "contato whatsapp"),
    ),
    "name": (
        *("name", "contact", "client", "customer", "surname", "full name", "first name", "last name", "given name", "family name"),
        *("nombre", "nombres", "apellido", "apellidos", "contacto", "cliente", "nombre completo"),
        *("nome", "sobrenome", "contato", "nome completo", "primeiro nome"),
    ),
    "email": ("email", "mail", "e mail", "email address", "e mail 1 value", "correo", "correo electronico"),
    "tags": ("tags", "tag", "labels", "label", "group membership", "groups", "etiquetas", "etiqueta", "grupos", "marcadores"),
    "state": ("state", "status", "contact state", "lead status", "estado", "situacao", "etapa"),
}


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is read.

    Attributes:
        columns: What each column is: one of `TARGETS`, ``field:<key>``, or None for what is left out. Columns that are ``name`` are joined.
        header: The first row says what the columns are.
        country: ISO 3166: where a phone without a country code is from.
        overwrite: What stands in the list wins; else it only fills in what is empty.
        create_tags: A tag that is not here is made; else its row is refused.
    """

    columns: tuple[str | None, ...]
    header: bool = True
    country: str | None = None
    overwrite: bool = True
    create_tags: bool = True


def words(text: str) -> str:
    """Give *text* in lower case without accents, its words divided by one space."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", " ", plain.casefold()).strip()


def guess(head: Sequence[str], samples: Sequence[Sequence[str]], fields: Sequence[Field]) -> tuple[str | None, ...]:
    """Say what each column probably is: by the words above it, and where none says "phone", by what stands below.

    No two columns are the same thing, but for ``name`` of which two can be parts.
    """
    own = {words(text): f"field:{field.key}" for field in fields for text in (field.key, field.name)}
    found: list[str | None] = []
    for text in head:
        said = words(text)
        target = own.get(said) or next((target for target, some in _WORDS.items() if said in some), None)
        found.append(None if target in found and target != "name" else target)
    if "phone" not in found:
        likely = [(_phones(samples, place), -place) for place in range(len(found)) if found[place] is None]
        if likely and max(likely)[0] > 0:
            found[-max(likely)[1]] = "phone"
    return tuple(found)


def is_header(first: Sequence[str]) -> bool:
    """Tell whether a list's first row says what the columns are: nobody's phone or address stands in it."""
    return not any("@" in cell or phones.looks_like(cell) for cell in first)


def check(mapping: Mapping, width: int, fields: Sequence[Field]) -> None:
    """Nothing is wrong with it.  Raises: ColumnsInvalid."""
    known = {*TARGETS, *(f"field:{field.key}" for field in fields)}
    wanted = [one for one in mapping.columns if one is not None]
    if len(mapping.columns) != width:
        raise ColumnsInvalid(f"The list has {width} columns: say of each what it is.")
    if strange := sorted({one for one in wanted if one not in known}):
        raise ColumnsInvalid(f"A column cannot be {', '.join(strange)}.")
    if "phone" not in wanted:
        raise ColumnsInvalid("Say which column is the phone: nobody is known without one.")
    if len({one for one in wanted if one != "name"}) < sum(one != "name" for one in wanted):
        raise ColumnsInvalid("Two columns are the same thing.")
    if mapping.country is not None and mapping.country not in phones.COUNTRIES:
        raise ColumnsInvalid("A country is two capital letters, such as BR.")


def _phones(samples: Sequence[Sequence[str]], place: int) -> int:
    filled = [row[place] for row in samples if place < len(row) and row[place]]
    alike = sum(phones.looks_like(cell) for cell in filled)
    return alike if alike * 2 > len(filled) else 0
