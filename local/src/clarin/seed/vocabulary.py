"""What people write: common words of three languages, thousands of rare ones, names, and how often each is said."""

import random
from itertools import accumulate, zip_longest
from pathlib import Path


def _read() -> dict[str, list[str]]:
    parts = Path(__file__).with_suffix(".txt").read_text("utf-8").split("[")[1:]
    return {name: words.split() for name, _, words in (part.partition("]") for part in parts)}


_KNOWN = _read()
FILES = ("factura", "nota_fiscal", "comprobante", "cotización", "contrato", "recibo", "catálogo", "guía", "invoice", "pedido")

RARE = 30_000
_SYLLABLES = [
    *("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo"),
    *("cha", "lle", "ña", "que", "tra", "plu", "ster"),
]


class Words:
    """Draws what people say, each word as often as its rank lets expect (Zipf)."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        common: list[str] = []
        for group in zip_longest(_KNOWN["spanish"], _KNOWN["portuguese"], _KNOWN["english"]):
            common += filter(None, group)
        known = dict.fromkeys(common)
        while len(known) < RARE:
            known["".join(dice.choices(_SYLLABLES, k=dice.randint(3, 5)))] = None
        self.words = list(known)
        self._shares = list(accumulate((rank + 8) ** -1.15 for rank in range(len(self.words))))

    def said(self) -> str:
        """Give one text: often some words, sometimes forty."""
        dice = self._dice
        text = " ".join(dice.choices(self.words, cum_weights=self._shares, k=min(40, 1 + int(dice.expovariate(1 / 7)))))
        end = dice.random()
        return text[:1].upper() + text[1:] + ("?" if end < 0.2 else "." if end < 0.5 else " 🙏" if end < 0.52 else "")

    def name(self) -> str:
        """Give what somebody calls himself."""
        dice = self._dice
        one = f"{dice.choice(_KNOWN['first'])} {dice.choice(_KNOWN['last'])}"
        return f"{one} {dice.choice(_KNOWN['last'])}" if dice.random() < 0.3 else one

    def file(self) -> str:
        """Give what a file is called."""
        return f"{self._dice.choice(FILES)}_{self._dice.randrange(10**6):06d}.pdf"
