"""One document of all services."""

from gateway.openapi import merge

#: Of the gateway itself, and of realtime, which writes no description.
OWN = {"/api/meta", "/api/presence", "/api/stream", "/ws"}


def a_document(**changes):
    operation = {
        "operationId": "list",
        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}},
    }
    document = {
        "paths": {"/api/chats": {"get": operation}, "/internal": {"get": operation}},
        "components": {"schemas": {"Item": {"type": "object"}, "Problem": {"type": "object", "title": "Problem"}}},
    }
    return document | changes


def test_only_public_paths_of_the_service_that_answers_them_are_shown():
    merged = merge({"conversations": a_document()}, version="1")
    assert set(merged["paths"]) == {"/api/chats", *OWN}
    assert set(merge({"auth": a_document()}, version="1")["paths"]) == OWN


def test_a_schema_that_all_define_alike_stands_once():
    documents = {"conversations": a_document(), "device-worker": a_document(paths={})}
    assert set(merge(documents, version="1")["components"]["schemas"]) == {"Item", "Problem", "Meta", "Colleagues"}


def test_schemas_that_differ_get_their_services_name_wherever_they_are_meant():
    theirs = {
        "paths": {"/api/devices": {"get": {"operationId": "list", "responses": {"200": {"$ref": "#/components/schemas/Page"}}}}},
        "components": {
            "schemas": {
                "Item": {"type": "string"},
                "Page": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
            }
        },
    }
    merged = merge({"conversations": a_document(), "device-worker": theirs}, version="1")
    schemas = merged["components"]["schemas"]
    assert schemas["Item"] == {"type": "object"}
    assert schemas["DeviceWorkerItem"] == {"type": "string"}
    assert schemas["Page"]["items"] == {"$ref": "#/components/schemas/DeviceWorkerItem"}
    assert merged["paths"]["/api/devices"]["get"]["responses"]["200"] == {"$ref": "#/components/schemas/Page"}


def test_schemas_alike_in_looks_alone_are_kept_apart():
    def pages(item, path):
        return {
            "paths": {path: {"get": {"operationId": path[5:], "responses": {"200": {"$ref": "#/components/schemas/Page"}}}}},
            "components": {"schemas": {"Item": {"type": item}, "Page": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}}},
        }

    merged = merge({"conversations": pages("object", "/api/chats"), "device-worker": pages("string", "/api/devices")}, version="1")
    assert merged["components"]["schemas"]["DeviceWorkerPage"]["items"] == {"$ref": "#/components/schemas/DeviceWorkerItem"}
    assert merged["paths"]["/api/devices"]["get"]["responses"]["200"] == {"$ref": "#/components/schemas/DeviceWorkerPage"}


def test_operations_of_one_name_are_told_apart_and_anonymous_ones_need_no_token():
    login = {"paths": {"/api/auth/login": {"post": {"operationId": "list", "security": [{"x": []}], "responses": {}}}}}
    merged = merge({"auth": login, "conversations": a_document()}, version="1", missing=("device-worker",))
    assert merged["paths"]["/api/auth/login"]["post"]["security"] == []
    assert merged["paths"]["/api/chats"]["get"]["operationId"] == "conversations_list"
    assert "security" not in merged["paths"]["/api/chats"]["get"]
    assert merged["x-missing"] == ["device-worker"]


def test_every_operation_says_what_the_gateway_itself_may_answer():
    document = merge({"conversations": a_document()}, version="1")
    for item in document["paths"].values():
        for operation in item.values():
            assert {"400", "404", "405", "413", "429", "431", "503"} <= set(operation["responses"])
            for response in operation["responses"].values():
                if "$ref" in response:
                    stated = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                    assert stated["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "Problem" in document["components"]["schemas"]
    chats = document["paths"]["/api/chats"]["get"]["responses"]
    assert "401" in chats
    assert document["paths"]["/ws"]["get"]["responses"]["426"] == {"$ref": "#/components/responses/Edge426"}
    assert "401" not in document["paths"]["/api/meta"]["get"]["responses"]


def test_what_a_service_says_of_a_status_stays_and_a_forgery_is_refused_where_something_changes():
    said = {
        "description": "`limit`: Too many.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    plain = {"description": "Gone."}
    item = {"post": {"operationId": "send", "responses": {"202": {"description": "It waits."}, "429": said, "404": plain}}}
    document = merge({"conversations": a_document(paths={"/api/chats": item})}, version="1")
    responses = document["paths"]["/api/chats"]["post"]["responses"]
    assert responses["429"] == said
    assert responses["404"]["description"] == "Gone."
    assert list(responses["404"]["content"]) == ["application/problem+json"]
    assert "csrf" in document["components"]["responses"]["Edge403"]["content"]["application/problem+json"]["examples"]
    assert responses["403"] == {"$ref": "#/components/responses/Edge403"}
