"""The containers' description agrees with what the processes read. Nothing is started here."""

import re
from pathlib import Path

import compose_spec
import pytest
import yaml
from clarin.backup.places import Elsewhere

from .processes import PROCESSES

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()

FROM_IMAGE = set(re.findall(r"\b(CLARIN_\w+)=", DOCKERFILE))


def test_the_file_is_a_compose_file():
    filled_in = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "docker-compose.yml").read_text())
    compose_spec.PyCompose.from_yaml(filled_in)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_given_what_it_reads_and_nothing_else(name: str):
    fields = PROCESSES[name].model_fields
    given = {variable.removeprefix("CLARIN_").lower() for variable in COMPOSE["services"][name]["environment"]}
    from_image = {variable.removeprefix("CLARIN_").lower() for variable in FROM_IMAGE}
    required = {field for field, info in fields.items() if info.is_required()}
    assert required <= given | from_image
    assert given <= set(fields)


def test_every_target_is_in_the_dockerfile_and_every_image_has_a_version():
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    for service in COMPOSE["services"].values():
        if "build" in service:
            assert service["build"]["target"] in targets
        else:
            assert re.fullmatch(r"\S+:v?\d+\.\d+(\.\d+)?(-\w+)?", service["image"]), service["image"]
    for image in re.findall(r"^ARG \w+_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE):
        assert re.fullmatch(r"\w+:\d+\.\d+\.\d+-[\w-]+", image)


def test_a_worker_of_the_loopback_network_is_given_what_a_worker_reads_but_is_never_in_production():
    given = COMPOSE["services"]["sim-worker"]["environment"]
    required = {field for field, info in PROCESSES["worker"].model_fields.items() if info.is_required()}
    assert required <= {name.removeprefix("CLARIN_").lower() for name in {*given, *FROM_IMAGE}}
    assert given["CLARIN_ENV"] == "development"


def test_a_backup_is_given_the_addresses_that_its_command_reads():
    given = {name.removeprefix("CLARIN_").lower() for name in COMPOSE["services"]["backup"]["environment"]}
    assert {"admin_database_url", "nats_url", "encryption_key"} <= given <= set(Elsewhere.model_fields)


def test_what_runs_besides_is_asked_for():
    besides = {name: service["profiles"] for name, service in COMPOSE["services"].items() if "profiles" in service}
    assert {profile for profiles in besides.values() for profile in profiles} == {"tls", "s3", "monitoring", "backup", "sim"}
    assert not set(besides) & {
        name for service in COMPOSE["services"].values() if "profiles" not in service for name in service.get("depends_on", {})
    }


def test_every_variable_is_in_the_example_and_no_secret_has_a_value():
    example = dict(line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#"))
    demanded = set(re.findall(r"\$\{(\w+):\?\}", (ROOT / "docker-compose.yml").read_text()))
    assert demanded <= set(example)
    assert not any(example.values())


def test_only_the_worker_carries_neonize():
    for stage in re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE):
        if "services/device-worker" in stage:
            assert stage.splitlines()[0].endswith("AS device-worker")
