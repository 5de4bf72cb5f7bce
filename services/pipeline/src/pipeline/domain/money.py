"""Money: an integer of minor units with a currency of ISO 4217, never a float."""

from functools import cache

from iso4217 import Currency

from pipeline.domain.errors import CurrencyUnknown, ValueOutOfRange

MOST = 9_999_999_999_999
"""Minor units of one lead: a hundred billion dollars. A number of JavaScript holds it, and a bigint the sum of 900,000 of them."""


@cache
def exponent(code: str) -> int | None:
    """Give the decimals of a currency that people pay with; None for what is none: unknown, gold, a code for tests."""
    try:
        return Currency(code).exponent
    except ValueError:
        return None


def currency(text: str) -> str:
    """Read a currency in any case.  Raises: CurrencyUnknown."""
    code = text.strip().upper()
    if len(code) != 3 or not code.isascii() or exponent(code) is None:
        raise CurrencyUnknown("A currency has three letters, such as MXN, BRL or USD.")
    return code


def value(amount: int) -> int:
    """Check an amount.  Raises: ValueOutOfRange."""
    if not 0 <= amount <= MOST:
        raise ValueOutOfRange(f"It lies between 0 and {MOST:,}, in minor units: 12.50 USD is 1250.")
    return amount


def weighted(total: int, probability: int) -> int:
    """Give *probability* percent of *total*, rounded half up to a minor unit."""
    return (total * probability + 50) // 100


def written(amount: int, code: str) -> str:
    """Write an amount as a plain decimal with its currency: ``12.50 USD``."""
    decimals = exponent(code) or 0
    if not decimals:
        return f"{amount} {code}"
    whole, part = divmod(amount, 10**decimals)
    return f"{whole}.{part:0{decimals}d} {code}"
