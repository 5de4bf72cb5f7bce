"""Settings come from the environment, are read once in ``main``, and never change afterwards.

A service composes its own class from the mixins it needs::

    class AuthSettings(WithHttp, WithDatabase, WithBus, Settings):
        registration: Literal["open", "invite", "closed"] = Field("open", description="open, invite or closed")

The ``description`` of a field is what the person reads when the variable is missing or bad.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "CLARIN_"
#: What stands in secrets of examples; none has a chance worth naming to be in a random one.
_WORDS = ("changeme", "change-me", "change_me", "example", "secret", "password", "clarin", "0123456", "abcdefg")
EX_CONFIG = 78  # sysexits.h: something was found in an unconfigured or misconfigured state


def _scheme(*schemes: str, several: bool = False) -> AfterValidator:
    def check(value: str) -> str:
        for one in value.split(",") if several else (value,):
            scheme, separator, rest = one.partition("://")
            if scheme not in schemes or not separator or not rest:
                raise ValueError("not such an address")
        return value

    return AfterValidator(check)


PostgresUrl = Annotated[str, _scheme("postgresql", "postgres")]
NatsUrl = Annotated[str, _scheme("nats", "tls", several=True)]
RedisUrl = Annotated[str, _scheme("redis", "rediss")]


def guessable(secret: str) -> bool:
    """Tell whether *secret* looks like one that was copied from an example."""
    text = secret.lower()
    return len(set(secret)) < 10 or any(word in text for word in _WORDS)


class Settings(BaseSettings):
    """What every process reads."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    env: Literal["development", "production"] = Field("development", description="development or production")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    otlp_endpoint: Annotated[str, _scheme("http", "https")] | None = Field(
        None, description="the http:// or https:// address of a collector of traces that speaks OTLP; left out, there are no traces"
    )


class WithHttp(Settings):
    """A process that answers HTTP."""

    http_host: str = Field("127.0.0.1", description="the address to listen on")
    http_port: int = Field(0, ge=0, le=65535, description="a port from 1 to 65535, or 0 for any that is free")
    http_drain: float = Field(
        0, ge=0, le=60, description="seconds from 0 to 60 in which a process that was told to end still answers, and says that it goes"
    )


class WithDatabase(Settings):
    """A process with a schema of its own, seen with two roles."""

    database_url: PostgresUrl = Field(repr=False, description="a postgresql:// address, with the service's own role")
    system_database_url: PostgresUrl = Field(repr=False, description="a postgresql:// address, with the role that ends in _system")
    database_pool: int = Field(10, ge=1, le=200, description="a number of connections from 1 to 200")


class WithBus(Settings):
    """A process on the bus; of a cluster the address names several servers, by comma."""

    nats_url: NatsUrl = Field(repr=False, description="a nats:// address, with user and password")


class WithRedis(Settings):
    """A process that keeps short-lived keys in Valkey."""

    redis_url: RedisUrl = Field(repr=False, description="a redis:// address")


class WithCursors(Settings):
    """A process whose lists have pages."""

    cursor_secret: str = Field(
        repr=False, min_length=32, description="a random secret of at least 32 characters, the same in every replica"
    )

    @field_validator("cursor_secret")
    @classmethod
    def _is_random_in_production(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("env") == "production" and guessable(value):
            raise ValueError("anybody could guess it")
        return value


class WithData(Settings):
    """A process that keeps files."""

    data_dir: Path = Field(description="a folder that this process may write to")


S = TypeVar("S", bound=Settings)


def load(cls: type[S], name: str = "") -> S:
    """Read the environment; a missing or bad variable ends the process with 78 and one line that names it.

    The line never repeats the value, which may be a secret.
    """
    try:
        return cls()
    except ValidationError as error:
        refuse(cls, name, error)


def refuse(cls: type[Settings], name: str, error: ValidationError) -> NoReturn:
    """End the process with one line for each variable that is not as it should be."""
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        # pydantic-settings reports a missing variable by the field's name and a bad one by the variable's
        field = field.lower().removeprefix(PREFIX.lower())
        wanted = cls.model_fields[field].description if field in cls.model_fields else problem["msg"]
        state = "missing" if problem["type"] == "missing" else "not valid"
        sys.stderr.write(f"clarin {name}".rstrip() + f": {PREFIX}{field.upper()} is {state}: {wanted}.\n")
    raise SystemExit(EX_CONFIG)
