import asyncio
import io
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

import aiohttp
import pytest
from contracts import ids
from contracts.edge import PublicDeviceId
from contracts.errors import Conflict, NotFound, RateLimited
from contracts.ids import TenantId
from contracts.principal import Principal, Role, Scope
from contracts.views import Message
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, File, UploadFile
from pydantic import Field, ValidationError
from servicekit import auth, cursors
from servicekit.http import Admin, Body, Caller, Cursor, Json, Limit, Name, Owner, Page, Text, answer, create_app, needs, problems, state
from servicekit.http.bodies import Storable
from servicekit.logging import request_id
from servicekit.run import Service
from structlog.contextvars import get_contextvars

KEY = Ed25519PrivateKey.generate()
DEVICE = ids.public(ids.DEVICE, ids.new())
MEBIBYTE = 1024 * 1024
router = APIRouter(prefix="/api/devices", tags=["devices"])


class DeviceMissing(NotFound):
    """The device is not here."""

    code = "device-not-found"


class DeviceBusy(Conflict):
    """The device is busy."""

    code = "device-busy"


class New(Body):
    name: Name
    note: Text | None = None
    twin: PublicDeviceId | None = None
    weight: float = 0
    shelf: int = Field(0, ge=0, le=9)


class Shown(Body):
    id: PublicDeviceId
    name: str


@router.post("", status_code=201, responses=problems(DeviceBusy))
async def create(body: New, admin: Admin) -> Shown:
    """Add a device."""
    if body.name == "busy":
        raise DeviceBusy("It sends.", device=DEVICE)
    return Shown(id=ids.parse(ids.DEVICE, DEVICE), name=body.name)


@router.get("", responses=problems(cursors.BadCursor))
async def devices(caller: Caller, cursor: Cursor = None, limit: Limit = 50) -> Page[Shown]:
    if cursor:
        cursors.decode(caller.tenant, "devices", cursor, tuple[int])
    return Page(items=[], next_cursor=cursors.encode(caller.tenant, "devices", (limit,)))


@router.get("/boom")
async def boom(caller: Caller) -> Shown:
    raise RuntimeError("the phone is 59170000001")


@router.get("/slow-down")
async def slow_down() -> Shown:
    raise RateLimited("Wait.", headers={"Retry-After": "7"}, retry_after=7)


@router.get("/who")
async def who(caller: Caller, place: Annotated[str, state("place")]) -> dict[str, str | None]:
    return {"tenant": str(caller.tenant), "request_id": request_id(), "place": place}


@router.get("/context")
async def context() -> list[str]:
    return sorted(get_contextvars())


@router.post("/files", status_code=201)
async def upload(caller: Caller, file: Annotated[UploadFile, File()]) -> dict[str, int]:
    return {"size": len(await file.read())}


@router.post("/{id}/connect")
@needs(Scope.CONTROL)
async def connect(id: PublicDeviceId, admin: Admin) -> str:
    return "connected"


@router.get("/{id}/qr")
@needs(Scope.CONTROL)
async def qr(id: PublicDeviceId, caller: Caller) -> str:
    return "qr"


@router.get("/{id}", responses=problems(DeviceMissing))
async def device(id: PublicDeviceId, caller: Caller) -> Shown:
    raise DeviceMissing("Nothing.")


@router.get("/{id}/messages", responses=answer(Message, page=True) | problems(DeviceMissing))
async def messages(id: PublicDeviceId, caller: Caller, twin: PublicDeviceId | None = None) -> Json:
    return Json({"items": [], "next_cursor": None})


@router.delete("/{id}", status_code=204)
async def remove(id: PublicDeviceId, owner: Owner) -> None:
    """Take a device away."""


def token(role=Role.ADMIN, tenant=None, lifetime=timedelta(minutes=5), key=KEY, scopes=None):
    kind = "user" if scopes is None else "key"
    principal = Principal(id=ids.new(), tenant=tenant or TenantId(ids.new()), role=role, kind=kind, scopes=frozenset(scopes or ()))
    return {"Authorization": f"Bearer {auth.sign(principal, key, 'k1', lifetime)}"}


def an_app(service):
    verifier = auth.Tokens()
    verifier.learn("k1", KEY.public_key())
    return create_app(
        title="Shop",
        service=service,
        verifier=verifier,
        routers=[router],
        body_limits={"/api/devices/files": 3 * MEBIBYTE},
        cursor_secret="a secret of more than thirty-two characters",
        state={"place": "counter"},
    )


class Client:
    """Calls one served app."""

    def __init__(self, session, port, service):
        self.session = session
        self.port = port
        self.service = service

    async def __call__(self, method, path, **options):
        async with self.session.request(method, f"http://127.0.0.1:{self.port}{path}", **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def raw(self, data):
        """Send bytes as they are; give everything that comes back until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        try:
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()


class Answer:
    def __init__(self, status, headers, data):
        self.status = status
        self.headers = headers
        self.data = data

    @property
    def json(self):
        return json.loads(self.data)

    def assert_problem(self, status, code):
        """It is a problem with every member that is promised."""
        assert (self.status, self.headers["Content-Type"]) == (status, "application/problem+json")
        body = self.json
        assert body["type"] == f"/docs/problems#{code}"
        assert (body["status"], body["code"], body["request_id"]) == (status, code, self.headers["X-Request-Id"])
        assert body["title"]
        assert isinstance(body["detail"], str)
        return body


@asynccontextmanager
async def serving(make=an_app, **manners):
    port = None

    async def start(service):
        nonlocal port
        port = service.serve(make(service), "127.0.0.1", 0, **manners)

    async with Service("shop").running(start) as service, aiohttp.ClientSession() as session:
        yield Client(session, port, service)


@pytest.fixture
async def call():
    async with serving() as client:
        yield client


JSON = {"Content-Type": "application/json"}


async def test_a_domain_problem_has_its_title_from_the_docstring_and_its_members(call):
    body = (await call("POST", "/api/devices", json={"name": "busy"}, headers=token())).assert_problem(409, "device-busy")
    assert (body["title"], body["detail"], body["device"]) == ("The device is busy", "It sends.", DEVICE)


async def test_headers_of_a_problem_go_out(call):
    answer = await call("GET", "/api/devices/slow-down")
    assert answer.assert_problem(429, "rate-limited")["retry_after"] == 7
    assert answer.headers["Retry-After"] == "7"


async def test_an_unknown_path_and_a_slash_too_many_are_not_found(call):
    (await call("GET", "/api/nothing")).assert_problem(404, "not-found")
    (await call("GET", "/api/devices/", headers=token(), allow_redirects=False)).assert_problem(404, "not-found")


async def test_another_method_is_not_allowed(call):
    answer = await call("PUT", "/api/devices")
    answer.assert_problem(405, "method-not-allowed")
    assert "Allow" in answer.headers


async def test_a_bug_names_an_incident_and_nothing_else(call):
    answer = await call("GET", "/api/devices/boom", headers=token())
    body = answer.assert_problem(500, "internal")
    assert body["incident"]
    assert b"59170000001" not in answer.data
    assert b"RuntimeError" not in answer.data
    assert (await call("GET", "/api/devices", headers=token())).status == 200


@pytest.mark.parametrize(
    "path", ["/api/devices/abc", "/api/devices/cht_01JD3V6Q5J8R2Y0T4W7X9Z1B3C", "/api/devices/dev_8ZZZZZZZZZZZZZZZZZZZZZZZZZ"]
)
async def test_a_path_that_can_name_nothing_is_not_found(call, path):
    (await call("GET", path, headers=token())).assert_problem(404, "not-found")


async def test_the_same_id_in_a_query_is_invalid(call):
    body = (await call("GET", f"/api/devices/{DEVICE}/messages?twin=abc", headers=token())).assert_problem(422, "invalid")
    assert [error["at"] for error in body["errors"]] == ["query.twin"]


async def test_every_place_that_does_not_fit_is_named(call):
    sent = {"name": " ", "note": "a\x00b", "twin": "dev_1", "shelf": 10, "color": "red"}
    body = (await call("POST", "/api/devices", json=sent, headers=token())).assert_problem(422, "invalid")
    assert {error["at"] for error in body["errors"]} == {"body.name", "body.note", "body.twin", "body.shelf", "body.color"}
    assert "U+0000" in next(error["message"] for error in body["errors"] if error["at"] == "body.note")


def test_what_may_be_left_out_may_be_null_as_well():
    class Place(Body):
        name: Annotated[str | None, Field(max_length=3), Storable] = None

    assert Place.model_validate({"name": None}).name is None
    with pytest.raises(ValidationError, match=r"U\+0000"):
        Place.model_validate({"name": "\x00"})


@pytest.mark.parametrize(
    "data",
    [b"{", b"[" * 200_000, b'{"a":' * 100_000, b"\xff\xfe{}", b'{"shelf": ' + b"9" * 5000 + b"}", b"nul", b'"\\ud800'],
    ids=["cut off", "deep list", "deep object", "no UTF-8", "a number of 5000 digits", "a word", "an open text"],
)
async def test_a_body_that_is_no_json_is_malformed(call, data):
    (await call("POST", "/api/devices", data=data, headers=token() | JSON)).assert_problem(400, "malformed")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b'{"name": "\\ud800"}',
        b'{"name": "a", "\\ud800": 1}',
        b'{"name": "a", "weight": NaN}',
        b'{"name": "a", "weight": 1e999}',
        b'{"name": "a", "shelf": 100000000000000000000000000}',
        b'{"name": {"$gt": ""}}',
        b'{"name": "a", "shelf": "1 OR 1"}',
        json.dumps({"name": "a", "note": "x" * 501}).encode(),
        json.dumps({"name": "a"} | {f"k{n}": n for n in range(500)}).encode(),
    ],
)
async def test_json_that_does_not_fit_is_invalid(call, data):
    answer = await call("POST", "/api/devices", data=data, headers=token() | JSON)
    answer.assert_problem(422, "invalid")
    assert len(answer.data) < 10_000


async def test_a_body_of_another_type_is_invalid(call):
    (await call("POST", "/api/devices", data=b"name=a", headers=token())).assert_problem(422, "invalid")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "99999999999999999999"])
async def test_a_limit_beyond_the_bounds_is_invalid(call, limit):
    (await call("GET", f"/api/devices?limit={limit}", headers=token())).assert_problem(422, "invalid")


async def test_a_cursor_of_another_tenant_is_refused(call):
    mine, theirs = token(), token()
    cursor = (await call("GET", "/api/devices", headers=mine)).json["next_cursor"]
    assert (await call("GET", f"/api/devices?cursor={cursor}", headers=mine)).status == 200
    (await call("GET", f"/api/devices?cursor={cursor}", headers=theirs)).assert_problem(422, "bad-cursor")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic dTpw", "token abc"])
async def test_without_a_bearer_token_nobody_is_signed_in(call, authorization):
    answer = await call("GET", "/api/devices", headers={} if authorization is None else {"Authorization": authorization})
    answer.assert_problem(401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_expired_and_foreign_tokens_are_told_apart(call):
    (await call("GET", "/api/devices", headers=token(lifetime=timedelta(minutes=-1)))).assert_problem(401, "token-expired")
    (await call("GET", "/api/devices", headers=token(key=Ed25519PrivateKey.generate()))).assert_problem(401, "token-invalid")
    (await call("GET", "/api/devices", headers={"Authorization": "Bearer a.b.c"})).assert_problem(401, "token-invalid")


async def test_a_role_too_low_is_forbidden_and_a_higher_one_is_not(call):
    for role, status in ((Role.AGENT, 403), (Role.ADMIN, 201), (Role.OWNER, 201)):
        answer = await call("POST", "/api/devices", json={"name": "a"}, headers=token(role))
        assert answer.status == status
    (await call("DELETE", f"/api/devices/{DEVICE}", headers=token(Role.ADMIN))).assert_problem(403, "forbidden")
    assert (await call("DELETE", f"/api/devices/{DEVICE}", headers=token(Role.OWNER))).status == 204


NEEDED = [
    ("GET", "/api/devices", Scope.READ, 200),
    ("GET", f"/api/devices/{DEVICE}", Scope.READ, 404),
    ("POST", "/api/devices", Scope.SETTINGS, 201),
    ("DELETE", f"/api/devices/{DEVICE}", Scope.SETTINGS, 204),
    ("POST", f"/api/devices/{DEVICE}/connect", Scope.CONTROL, 200),
    ("GET", f"/api/devices/{DEVICE}/qr", Scope.CONTROL, 200),
]


@pytest.mark.parametrize(("method", "path", "needed", "status"), NEEDED, ids=range(len(NEEDED)))
async def test_a_key_does_what_it_has_the_scope_for_and_a_person_needs_none(call, method, path, needed, status):
    for scope in Scope:
        answer = await call(method, path, json={"name": "a"}, headers=token(Role.OWNER, scopes=[scope]))
        if scope is needed:
            assert answer.status == status
        else:
            assert answer.assert_problem(403, "scope-missing")["scope"] == needed
    (await call(method, path, json={"name": "a"}, headers=token(Role.OWNER, scopes=[]))).assert_problem(403, "scope-missing")
    assert (await call(method, path, json={"name": "a"}, headers=token(Role.OWNER))).status == status


async def test_a_scope_does_not_stand_in_for_a_role(call):
    (await call("POST", f"/api/devices/{DEVICE}/connect", headers=token(Role.AGENT, scopes=Scope))).assert_problem(403, "forbidden")


async def test_the_documentation_names_the_scope_of_every_operation_that_needs_a_caller(call):
    paths = (await call("GET", "/openapi.json")).json["paths"]
    stated = {(method, path): operation.get("x-scope") for path, methods in paths.items() for method, operation in methods.items()}
    assert stated["get", "/api/devices"] == "read"
    assert stated["post", "/api/devices"] == "settings"
    assert stated["get", "/api/devices/{id}/qr"] == stated["post", "/api/devices/{id}/connect"] == "control"
    assert stated["get", "/api/devices/slow-down"] is None
    assert "scope-missing" in paths["/api/devices"]["get"]["responses"]["403"]["content"]["application/problem+json"]["examples"]


async def test_a_request_id_goes_in_and_out(call):
    answer = await call("GET", "/api/devices/who", headers=token() | {"X-Request-Id": "abc-1.2"})
    assert answer.headers["X-Request-Id"] == answer.json["request_id"] == "abc-1.2"
    assert answer.json["place"] == "counter"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, '"quoted"', "é"])
async def test_a_request_id_that_could_not_stand_in_a_log_is_replaced(call, given):
    answer = await call("GET", "/api/devices/who", headers=token() | {"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] not in {"", given}
    assert answer.status == 200


async def test_a_request_learns_nothing_of_the_one_before_on_its_connection(call):
    await call("GET", "/api/devices/who", headers=token() | {"X-Request-Id": "first"})
    second = await call("GET", "/api/devices/who", headers=token())
    assert second.json["request_id"] == second.headers["X-Request-Id"] != "first"


async def test_the_tenant_of_one_request_is_not_bound_in_the_next_of_the_same_task():
    said = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        said.append(message.get("body", b""))

    app = an_app(Service("shop"))
    for path, headers in (("/api/devices/who", token()), ("/api/devices/context", {})):
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await app({"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": pairs}, receive, send)
    assert json.loads(said[-1]) == ["request_id", "trace"]


async def test_a_body_that_announces_too_much_is_refused_and_the_answer_arrives(call):
    (await call("POST", "/api/devices", data=io.BytesIO(b"x" * (2 * MEBIBYTE)), headers=token() | JSON)).assert_problem(413, "too-large")


async def test_a_body_that_announces_nothing_is_counted(call):
    async def stream():
        for _ in range(40):
            yield b"x" * 32_768

    (await call("POST", "/api/devices", data=stream(), headers=token() | JSON)).assert_problem(413, "too-large")


async def test_an_absurd_announcement_is_refused_at_once(call):
    for length in (b"99999999999999", b"9" * 19):
        head = b"POST /api/devices HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: " + length + b"\r\n\r\n"
        assert (await call.raw(head)).startswith(b"HTTP/1.1 413 ")


async def test_a_path_may_have_a_limit_of_its_own(call):
    def form(size):
        data = aiohttp.FormData()
        data.add_field("file", io.BytesIO(b"x" * size), filename="a.bin")
        return data

    answer = await call("POST", "/api/devices/files", data=form(2 * MEBIBYTE), headers=token())
    assert (answer.status, answer.json) == (201, {"size": 2 * MEBIBYTE})
    (await call("POST", "/api/devices/files", data=form(4 * MEBIBYTE), headers=token())).assert_problem(413, "too-large")


@pytest.mark.parametrize("content", [b"--x\r\nbroken", b"", b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nabc\r\n--x--\r\n"])
async def test_a_broken_form_is_no_bug(call, content):
    headers = token() | {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await call("POST", "/api/devices/files", data=content, headers=headers)
    assert answer.status in {400, 422}
    answer.assert_problem(answer.status, "malformed" if answer.status == 400 else "invalid")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /api/devices HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /api/devices HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/devices HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/devices HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_bytes_that_are_no_http_get_400(call, data):
    assert (await call.raw(data)).startswith(b"HTTP/1.1 400 ")
    assert (await call("GET", "/health/live")).status == 200


@pytest.mark.parametrize("path", ["/%00", "/%ff", "/api/devices/%2e%2e%2f", "/api/devices?limit=%ff", "//", "/" + "a" * 8000, "*"])
async def test_no_path_is_a_bug(call, path):
    answer = await call.raw(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer[9:12] in {b"400", b"401", b"404"}


async def test_a_head_has_an_end(call):
    answer = await call.raw(b"GET /health/live HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000)
    assert answer.startswith(b"HTTP/1.1 431 ")
    large = {"X-Large": "a" * 6000, "X-Larger": "b" * 7000}
    assert (await call("GET", "/health/live", headers=large)).status == 200


@pytest.mark.parametrize("begun", [b"", b"GET /health/live HTTP/1.1\r\nHost: a\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(begun):
    async with serving(head_seconds=0.05) as call:
        assert (await call.raw(begun)).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_comes_late_is_waited_for():
    async with serving(head_seconds=0.5) as call:

        async def body():
            yield b'{"name":'
            await call.raw(b"")  # as long as a head may take
            yield b' "late"}'

        for _ in range(2):
            assert (await call("POST", "/api/devices", data=body(), headers=token() | JSON)).status == 201


async def test_health_and_metrics_answer_and_are_not_documented(call):
    assert (await call("GET", "/health/live")).status == 200
    assert (await call("GET", "/health/ready")).json == {"ready": True, "checks": {}}
    await call("GET", f"/api/devices/{DEVICE}", headers=token())
    metrics = (await call("GET", "/metrics")).data.decode()
    assert 'clarin_http_request_seconds_count{method="GET",route="/api/devices/{id}",status="404"}' in metrics
    assert DEVICE not in metrics
    document = (await call("GET", "/openapi.json")).json
    assert all(path.startswith("/api/") for path in document["paths"])


async def test_an_ill_dependency_makes_the_process_unready_and_leaves_it_live(call):
    async def ill():
        raise OSError

    call.service.health.check("bus", ill)
    answer = await call("GET", "/health/ready")
    assert (answer.status, answer.json) == (503, {"ready": False, "checks": {"bus": "OSError"}})
    assert (await call("GET", "/health/live")).status == 200


async def test_the_document_names_every_problem_that_a_route_can_give(call):
    document = (await call("GET", "/openapi.json")).json
    create = document["paths"]["/api/devices"]["post"]
    assert create["operationId"] == "devicesCreate"
    assert create["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert "security" not in document["paths"]["/api/devices/slow-down"]["get"]
    assert set(create["responses"]) == {"201", "400", "401", "403", "409", "413", "422", "503"}
    assert set(examples(create, 401)) == {"unauthenticated", "token-expired", "token-invalid"}
    assert set(examples(create, 409)) == {"device-busy"}
    one = document["paths"]["/api/devices/{id}"]["get"]
    assert set(one["responses"]) == {"200", "401", "403", "404", "503"}
    assert set(examples(one, 404)) == {"device-not-found", "not-found"}
    listed = document["paths"]["/api/devices"]["get"]
    assert set(examples(listed, 422)) == {"bad-cursor", "invalid"}


async def test_the_document_refers_to_nothing_that_it_does_not_hold(call):
    document = (await call("GET", "/openapi.json")).json
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    referred = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred <= set(schemas)
    assert {"Problem", "Message", "MessageStatus"} <= set(schemas)
    assert "ValidationError" not in text
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert sorted(names) == sorted(set(names))
    assert schemas["New"]["properties"]["twin"]["anyOf"][0]["type"] == "string"


def examples(operation, status):
    return operation["responses"][str(status)]["content"]["application/problem+json"]["examples"]
