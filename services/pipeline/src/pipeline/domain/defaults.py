"""The pipeline that an account begins with, in its language."""

from typing import NamedTuple

from contracts.leads import StageKind


class Beginning(NamedTuple):
    """A stage to begin with."""

    name: str
    kind: StageKind
    color: str
    probability: int
    rotting_days: int | None


_SHAPE: tuple[tuple[StageKind, str, int, int | None], ...] = (
    ("open", "#228be6", 10, 3),
    ("open", "#15aabf", 25, 7),
    ("open", "#fab005", 50, 14),
    ("open", "#fd7e14", 75, 14),
    ("won", "#40c057", 100, None),
    ("lost", "#868e96", 0, None),
)
_NAMES = {
    "es": ("Ventas", ("Nuevo", "Contactado", "Propuesta", "Negociación", "Ganado", "Perdido")),
    "pt": ("Vendas", ("Novo", "Contatado", "Proposta", "Negociação", "Ganho", "Perdido")),
    "en": ("Sales", ("New", "Contacted", "Proposal", "Negotiation", "Won", "Lost")),
}


def name(locale: str) -> str:
    """Name the first pipeline in the language of *locale*; Spanish where there is no other."""
    return _NAMES.get(locale[:2], _NAMES["es"])[0]


def stages(locale: str) -> list[Beginning]:
    """Give the stages of a new pipeline in the language of *locale*."""
    names = _NAMES.get(locale[:2], _NAMES["es"])[1]
    return [Beginning(name, *shape) for name, shape in zip(names, _SHAPE, strict=True)]
