"""The secrets of an installation: made once, kept in one file, and handed to each process alone.

`.env.example` names them, `docker-compose.yml` says which process reads which. Kubernetes' secrets are made from the same two, so
that a variable is written down in one place.
"""

import base64
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

#: Encrypts what is kept: 32 bytes, in base64.
ENCRYPTION_KEYS = frozenset({"CLARIN_ENCRYPTION_KEY"})
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<sign>[-?])(?P<default>[^}]*))?\}")
_ASSIGNED = re.compile(r"^(?P<name>\w+)=(?P<value>.*)$")


class Missing(ValueError):
    """A variable that a process must have has no value."""


def demanded(compose: str) -> set[str]:
    """Name the variables that *compose*, a compose file, cannot do without."""
    return {match["name"] for match in _VARIABLE.finditer(compose) if match["sign"] == "?"}


def made(name: str) -> str:
    """Make a value for the variable *name* that nobody can guess."""
    if name in ENCRYPTION_KEYS:
        return base64.b64encode(os.urandom(32)).decode()
    return secrets.token_urlsafe(32)


def filled(text: str, needed: set[str]) -> str:
    """Give *text*, an env file, with a fresh value for each variable of *needed* that has none; those that it lacks are added."""
    lines, seen = [], set()
    for line in text.splitlines():
        found = _ASSIGNED.match(line)
        if found:
            seen.add(found["name"])
        lines.append(f"{found['name']}={made(found['name'])}" if found and found["name"] in needed and not found["value"] else line)
    lines += [f"{name}={made(name)}" for name in sorted(needed - seen)]
    return "\n".join(lines) + "\n"


def read(text: str) -> dict[str, str]:
    """Read an env file."""
    return {found["name"]: found["value"] for line in text.splitlines() if (found := _ASSIGNED.match(line))}


def environments(compose: str, values: Mapping[str, str], hosts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Give what each process of *compose* that is built here is given, with *values* in it; what is empty is left out.

    Args:
        hosts: Other places for the servers, as ``host:port`` by ``host:port`` in the compose file.

    Raises:
        Missing: A variable without which a process cannot start has no value.
    """

    def value(match: re.Match[str]) -> str:
        known = values.get(match["name"], "")
        if known or match["sign"] != "?":
            return known or match["default"] or ""
        raise Missing(f"{match['name']} has no value.")

    def placed(text: str) -> str:
        for old, new in hosts.items():
            text = re.sub(rf"(?<=[@/]){re.escape(old)}(?=/|$)", new, text)
        return text

    services: dict[str, Any] = yaml.safe_load(compose)["services"]
    given = {}
    for name, service in services.items():
        if "build" in service and "profiles" not in service:
            pairs = ((key, placed(_VARIABLE.sub(value, str(text)))) for key, text in service.get("environment", {}).items())
            given[name] = {key: text for key, text in pairs if text}
    return given


def write(path: Path, text: str) -> None:
    """Have *text* in *path*, which nobody but its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def plain(config: Path) -> set[str]:
    """Name the variables that the ConfigMaps of *config* hold: no secrets."""
    return {name for document in yaml.safe_load_all(config.read_text()) for name in document.get("data", {})}
