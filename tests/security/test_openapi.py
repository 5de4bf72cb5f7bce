"""The API answers as its description says, whatever is sent: no fault, no undeclared status, the declared type and shape.

Cases are made from the description of the installation that runs; half of them name things that are there. `make fuzz`
tries many more.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from clarin.client import Client
from clarin.testing import System
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from .valid import RULES, Rule, Valid
from .world import World, world

#: Set by `make fuzz`: for how many seconds each of the tests here goes on, round after round; None: one round.
FUZZ = float(os.environ["CLARIN_FUZZ_SECONDS"]) if "CLARIN_FUZZ_SECONDS" in os.environ else None
EXAMPLES = 20 if FUZZ else 4
STEPS = 200 if FUZZ else 12
#: After so many seconds, on a machine that is busy, every operation that is left is tried once each way.
ENOUGH = FUZZ or 40.0
#: So many different faults are enough for one run.
MANY = 20

pytestmark = [pytest.mark.hypothesis, pytest.mark.timeout(0 if FUZZ else 300)]

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

#: Longer texts are tried by the service's own tests; here a pattern over 60,000 characters costs seconds to draw from.
LONGEST = 200

#: What the walk along links leaves out: they end the session that it walks with, or start a pairing each time.
NOT_WALKED = ["authLogout", "authRefresh", "authCloseSession", "authChangePassword", "devicesConnect", "devicesPairingCode", "ws", "stream"]

RUN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=FUZZ is None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def shortened(value: Any) -> Any:
    """A description whose texts are drawn quickly."""
    if isinstance(value, dict):
        made = {key: shortened(part) for key, part in value.items()}
        return made | {"maxLength": LONGEST} if isinstance(made.get("maxLength"), int) and made["maxLength"] > LONGEST else made
    return [shortened(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def inhabited(system: System) -> Iterator[tuple[asyncio.Runner, World, dict[str, Any]]]:
    """A world that asynchronous code keeps and synchronous tests visit, and the description of the API."""
    with asyncio.Runner() as runner:

        async def enter() -> tuple[Any, Any, World, dict[str, Any]]:
            outer = system.network()
            inner = world(system, await outer.__aenter__())
            made = await inner.__aenter__()
            return outer, inner, made, await made.owner.get("/openapi.json")

        outer, inner, made, document = runner.run(enter())
        try:
            yield runner, made, document
        finally:
            runner.run(inner.__aexit__(None, None, None))
            runner.run(outer.__aexit__(None, None, None))


def told(operation: APIOperation) -> str:
    return str(operation.definition.raw["operationId"])


def headers(client: Client | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.token}"} if client else {}


class Verdict:
    """What was found wrong, once for each operation and kind."""

    def __init__(self) -> None:
        self.faults: dict[tuple[str, str], str] = {}
        self.served: Counter[str] = Counter()

    def of(self, case: Case, response: Response) -> None:
        """Hold an answer against the description."""
        name = told(case.operation)
        self.served[name] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.faults.setdefault((name, type(failure).__name__), f"{name}: {str(group)[:1_500]}")

    def __str__(self) -> str:
        return "\n\n".join(["", *self.faults.values()])


def tried(operation: APIOperation, system: System, made: World, request: Valid, verdict: Verdict, examples: int) -> None:
    caller = (request.caller or made.owner) if request.token else None
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @settings(RUN, max_examples=examples)
        @given(operation.as_strategy(generation_mode=mode), st.booleans())
        def send(case: Case, real: bool) -> None:
            if real and request.ids:
                case.path_parameters = dict(request.ids)
            verdict.of(case, case.call(base_url=system.url, headers=headers(caller)))

        with suppress(Unsatisfiable):  # whatever can be sent there is valid
            send()


def test_every_operation_answers_as_it_is_described(system: System, inhabited: tuple[asyncio.Runner, World, dict[str, Any]]):
    load_all_checks()
    verdict = Verdict()
    runner, made, document = inhabited
    began = time.monotonic()

    def spent() -> float:
        return time.monotonic() - began

    operations = [result.ok() for result in from_dict(shortened(document)).get_all_operations()]
    while not (verdict.served and (FUZZ is None or spent() > FUZZ or len(verdict.faults) >= MANY)):
        for operation in operations if FUZZ is None else random.sample(operations, len(operations)):
            rule: Rule | None = RULES.get(told(operation))
            if rule is None or (FUZZ is not None and spent() > FUZZ):  # test_isolation fails where there is none
                continue
            # only what a path names has to be there; who calls without a token is nobody
            request = runner.run(rule.make(made)) if "{" in operation.path else Valid(token=operation.definition.raw.get("security") != [])
            if rule.installation:
                request = replace(request, caller=made.installer)
            tried(operation, system, made, request, verdict, EXAMPLES if spent() < ENOUGH else 1)
    assert not verdict.faults, str(verdict)
    assert len(verdict.served) > 30


def test_what_one_operation_gives_the_next_one_takes(system: System, inhabited: tuple[asyncio.Runner, World, dict[str, Any]]):
    """The library finds by names and shapes what of an answer another operation takes, and walks along."""
    load_all_checks()
    verdict = Verdict()
    _, made, document = inhabited
    machine = from_dict(shortened(document)).exclude(operation_id=NOT_WALKED).as_state_machine()

    class Walk(machine):  # type: ignore[misc, valid-type]
        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"base_url": system.url, "headers": headers(made.owner)}

        def validate_response(self, response: Response, case: Case, **kwargs: Any) -> None:
            verdict.of(case, response)

    began = time.monotonic()
    for _ in range(10 if FUZZ is None else 10_000):
        # what the API answers changes while it is walked, at which hypothesis ends a run
        with suppress(Flaky):
            run_state_machine_as_test(Walk, settings=settings(RUN, max_examples=STEPS, stateful_step_count=6))
        if verdict.served.total() >= STEPS * 4 if FUZZ is None else time.monotonic() - began > FUZZ or len(verdict.faults) >= MANY:
            break
    assert not verdict.faults, str(verdict)
    assert verdict.served.total() >= STEPS
    assert len(verdict.served) >= 5, verdict.served
