"""The secrets of an installation in containers."""

import base64
import stat
from pathlib import Path

import pytest
from clarin import secrets

COMPOSE = """
services:
  postgres: {image: "postgres:18.1-bookworm", environment: {POSTGRES_PASSWORD: "${POSTGRES_PASSWORD:?}"}}
  auth:
    build: {context: .}
    environment:
      CLARIN_DATABASE_URL: postgresql://auth:${CLARIN_PASSWORD_AUTH:?}@postgres:5432/clarin
      CLARIN_ENCRYPTION_KEY: ${CLARIN_ENCRYPTION_KEY:?}
      CLARIN_REGISTRATION: ${CLARIN_REGISTRATION:-}
      CLARIN_LOG_LEVEL: ${CLARIN_LOG_LEVEL:-INFO}
"""
EXAMPLE = "# The roles.\nCLARIN_PASSWORD_AUTH=\nPOSTGRES_PASSWORD=kept\nCLARIN_REGISTRATION=\n"


def test_what_is_needed_and_empty_gets_a_value_of_its_own_and_the_rest_stays():
    first = secrets.read(secrets.filled(EXAMPLE, secrets.demanded(COMPOSE)))
    second = secrets.read(secrets.filled(EXAMPLE, secrets.demanded(COMPOSE)))
    assert first["POSTGRES_PASSWORD"] == "kept"
    assert first["CLARIN_REGISTRATION"] == ""
    assert len(first["CLARIN_PASSWORD_AUTH"]) >= 40
    assert first["CLARIN_PASSWORD_AUTH"] != second["CLARIN_PASSWORD_AUTH"]
    assert len(base64.b64decode(first["CLARIN_ENCRYPTION_KEY"])) == 32


def test_a_second_time_changes_nothing():
    once = secrets.filled(EXAMPLE, secrets.demanded(COMPOSE))
    assert secrets.filled(once, secrets.demanded(COMPOSE)) == once


def test_each_process_that_is_built_here_is_given_its_own_values_and_the_servers_places():
    values = {"CLARIN_PASSWORD_AUTH": "a", "CLARIN_ENCRYPTION_KEY": "b"}
    given = secrets.environments(COMPOSE, values, {"postgres:5432": "db.example.com:5433"})
    assert given == {
        "auth": {
            "CLARIN_DATABASE_URL": "postgresql://auth:a@db.example.com:5433/clarin",
            "CLARIN_ENCRYPTION_KEY": "b",
            "CLARIN_LOG_LEVEL": "INFO",
        }
    }


def test_a_missing_secret_is_named():
    with pytest.raises(secrets.Missing, match="CLARIN_PASSWORD_AUTH"):
        secrets.environments(COMPOSE, {}, {})


def test_only_the_owner_reads_the_file(tmp_path: Path):
    path = tmp_path / "secrets" / "auth.env"
    secrets.write(path, "A=1\n")
    secrets.write(path, "A=2\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "A=2\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["auth.env"]
