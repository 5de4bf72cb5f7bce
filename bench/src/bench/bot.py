"""How long the bot thinks: one decision with many rules of every kind, over messages that people write."""

import random
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.decide import Incoming, Setting, Why, decide
from bot.domain.phrases import Matcher
from bot.domain.settings import Bot
from bot.domain.state import State

from bench.figures import percentile

KINDS = ("exact", "contains", "starts", "any_of", "regex")
WORDS = [
    "hola",
    "buenas",
    "precio",
    "envío",
    "talla",
    "azul",
    "rojo",
    "verde",
    "cuánto",
    "cuesta",
    "tienen",
    "pedido",
    "llegó",
    "cuando",
    "dónde",
    "está",
    "quiero",
    "comprar",
    "cambiar",
    "devolver",
    "gracias",
    "mañana",
    "hoy",
    "tarde",
    "noche",
    "sábado",
    "domingo",
    "abierto",
    "cerrado",
    "horario",
    "tienda",
    "calle",
    "número",
    "factura",
    "pago",
    "tarjeta",
    "efectivo",
    "transferencia",
]


async def run(*, rules: int, decisions: int) -> dict[str, Any]:
    """Compile *rules* rules and decide about *decisions* messages, one chat each; most meet no rule, which is the slowest answer."""
    source = random.Random(20)
    tracemalloc.start()
    began = time.perf_counter()
    bot = Bot.model_validate({"enabled": True, "rules": [a_rule(source, number) for number in range(rules)]})
    setting = Setting(bot=bot, matcher=Matcher(bot.rules))
    compiled = time.perf_counter() - began
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    seconds, whys = [], dict.fromkeys(Why, 0)
    for number in range(decisions):
        message = Incoming(at=now + timedelta(seconds=number), text=a_text(source), name="Luis")
        began = time.perf_counter()
        done = decide(setting, State(), message, message.at)
        seconds.append(time.perf_counter() - began)
        whys[done.why] += 1
    return {
        "rules": rules,
        "asked": decisions,
        "done": len(seconds),
        "decision_p50_ms": round(percentile(seconds, 0.5) * 1000, 3),
        "decision_p99_ms": round(percentile(seconds, 0.99) * 1000, 3),
        "decision_max_ms": round(max(seconds) * 1000, 3),
        "compile_ms": round(compiled * 1000, 1),
        "rules_mb": round(memory / 1e6, 1),
        "met_a_rule": whys[Why.RULE],
        "met_none": whys[Why.UNKNOWN],
    }


def a_rule(source: random.Random, number: int) -> dict[str, Any]:
    """Make one of the five kinds in turn, with phrases that few messages hold."""
    kind = KINDS[number % len(KINDS)]
    phrases = [f"{source.choice(WORDS)} {source.choice(WORDS)} {source.randrange(10_000)}" for _ in range(3)]
    if kind == "regex":
        phrases = [rf"{phrase.split()[0]}\s+(\w+\s+)*#?{source.randrange(10_000)}\b" for phrase in phrases]
    return {"id": f"r{number}", "name": f"r{number}", "match": kind, "phrases": phrases, "reply": {"text": "Claro que sí."}}


def a_text(source: random.Random) -> str:
    """Write as people do: mostly a few words, now and then a long story, sometimes a number."""
    words = [source.choice(WORDS) for _ in range(source.choice((2, 4, 8, 12, 60)))]
    return " ".join((*words, str(source.randrange(10_000))) if source.random() < 0.3 else words)
