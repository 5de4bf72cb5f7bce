"""The manifests, as `kubectl` builds them from an overlay and the secrets that `clarin secrets` makes, agree with the processes."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from .processes import PROCESSES

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
FROM_IMAGE = set(re.findall(r"\b(CLARIN_\w+)=", DOCKERFILE))
TARGETS = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
#: Of Prometheus' operator and of KEDA; their schemas are not among Kubernetes' own.
FOREIGN = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}

Manifest = dict[str, Any]


def clarin(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "clarin", "secrets", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module", params=["small", "large"])
def manifests(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    folder = tmp_path_factory.mktemp("k8s")
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    overlay = folder / "deploy" / "k8s" / "overlays" / request.param
    clarin("fill", str(folder / ".env"))
    clarin("kubernetes", str(overlay), "--env", str(folder / ".env"))
    kubectl = Path(sys.executable).with_name("kubectl")
    built = subprocess.run([kubectl, "kustomize", overlay], check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(built))


def of(manifests: list[Manifest], *kinds: str) -> Iterator[Manifest]:
    return (manifest for manifest in manifests if manifest["kind"] in kinds)


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest["spec"]["template"] for manifest in of(manifests, "Deployment", "StatefulSet")}


def given(manifests: list[Manifest], pod: Manifest) -> set[str]:
    """Name the variables of a pod's one container."""
    kept = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in of(manifests, "ConfigMap", "Secret")}
    sources = pod["spec"]["containers"][0]["envFrom"]
    found = [
        kept[kind, source[reference]["name"]]["data"]
        for source in sources
        for kind, reference in (("ConfigMap", "configMapRef"), ("Secret", "secretRef"))
        if reference in source
    ]
    return {name for data in found for name in data}


def test_every_manifest_is_one_for_kubernetes(manifests: list[Manifest]):
    for manifest in manifests:
        if manifest["kind"] not in FOREIGN:
            kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_every_process_runs_and_is_given_what_it_reads_and_nothing_else(manifests: list[Manifest]):
    running = pods(manifests)
    assert set(running) == set(PROCESSES)
    for name, pod in running.items():
        fields = PROCESSES[name].model_fields
        names = {variable.removeprefix("CLARIN_").lower() for variable in given(manifests, pod)}
        from_image = {variable.removeprefix("CLARIN_").lower() for variable in FROM_IMAGE}
        assert {field for field, info in fields.items() if info.is_required()} <= names | from_image, name
        assert names <= set(fields), name


def test_every_image_is_a_target_of_the_dockerfile_and_has_a_version(manifests: list[Manifest]):
    for manifest in of(manifests, "Deployment", "StatefulSet", "Job"):
        image = manifest["spec"]["template"]["spec"]["containers"][0]["image"]
        repository, _, tag = image.rpartition(":")
        assert repository.rpartition("/")[2] in TARGETS, image
        assert re.fullmatch(r"\d+\.\d+\.\d+", tag), image


def test_every_pod_is_a_plain_user_that_can_write_nothing(manifests: list[Manifest]):
    for manifest in of(manifests, "Deployment", "StatefulSet", "Job"):
        spec = manifest["spec"]["template"]["spec"]
        container = spec["containers"][0]
        assert spec["securityContext"]["runAsNonRoot"]
        assert not spec["automountServiceAccountToken"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])


def test_a_backup_runs_every_night_as_plainly_as_all_else(manifests: list[Manifest]):
    for manifest in of(manifests, "CronJob"):
        spec = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        repository, _, tag = container["image"].rpartition(":")
        assert (repository.rpartition("/")[2] in TARGETS, bool(re.fullmatch(r"\d+\.\d+\.\d+", tag))) == (True, True)
        assert spec["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        secrets = {one["metadata"]["name"]: one.get("data", one.get("stringData")) for one in of(manifests, "Secret")}
        names = {name for source in container["envFrom"] for name in secrets[source["secretRef"]["name"]]}
        assert {"CLARIN_ADMIN_DATABASE_URL", "CLARIN_NATS_URL", "CLARIN_ENCRYPTION_KEY", "CLARIN_MEDIA_URL"} <= names
    large = any(of(manifests, "ScaledObject"))
    assert [manifest["metadata"]["name"] for manifest in of(manifests, "CronJob")] == (["backup"] if large else [])


def test_probes_and_services_lead_to_the_port_and_the_paths_that_a_process_has(manifests: list[Manifest]):
    for name, pod in pods(manifests).items():
        container = pod["spec"]["containers"][0]
        assert container["ports"] == [{"name": "http", "containerPort": 8000}]
        assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "http"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "http"}
        service = next(manifest for manifest in of(manifests, "Service") if manifest["metadata"]["name"] == name)
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert "CLARIN_HTTP_PORT=8000" in DOCKERFILE


def test_the_gateway_finds_every_service_by_its_name(manifests: list[Manifest]):
    config = next(manifest for manifest in of(manifests, "ConfigMap") if manifest["metadata"]["name"] == "gateway")
    services = {manifest["metadata"]["name"] for manifest in of(manifests, "Service")}
    urls = {name: url for name, url in config["data"].items() if name.startswith("CLARIN_URL_")}
    assert {url.removeprefix("http://").removesuffix(":8000") for url in urls.values()} <= services


def test_what_scales_and_what_may_not_stop_at_once_is_there(manifests: list[Manifest]):
    running = set(pods(manifests))
    assert {manifest["metadata"]["name"] for manifest in of(manifests, "PodDisruptionBudget")} == running
    for manifest in of(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        assert manifest["spec"]["scaleTargetRef"]["name"] in running
    large = any(of(manifests, "ScaledObject"))
    assert {manifest["metadata"]["name"] for manifest in of(manifests, "HorizontalPodAutoscaler")} == (
        running - {"worker"} if large else set()
    )


def test_nothing_is_let_through_that_no_policy_names(manifests: list[Manifest]):
    policies = {manifest["metadata"]["name"]: manifest["spec"] for manifest in of(manifests, "NetworkPolicy")}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    inside = set(policies["from-gateway"]["podSelector"]["matchExpressions"][0]["values"])
    assert inside == set(pods(manifests)) - {"gateway", "worker"}
    outside = policies["to-the-internet"]["podSelector"]["matchExpressions"][0]["values"]
    assert set(outside) <= set(pods(manifests))
