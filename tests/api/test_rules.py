import httpx

from app.rules.catalogue import CATALOGUE, CATALOGUE_VERSION


def test_the_catalogue_is_told_with_its_params(client: httpx.Client) -> None:
    said = client.get("/api/v1/rules").json()
    assert said["catalogue"] == CATALOGUE_VERSION
    assert [(rule["code"], rule["name"]) for rule in said["rules"]] == [(rule.code, rule.name) for rule in CATALOGUE]
    for rule in said["rules"]:
        assert rule["doc"].strip()
        assert all(need["min_points"] >= 1 for need in rule["needs"])
        assert all(field["description"] for field in rule["params"].get("properties", {}).values())


def test_defaults_of_the_schema_are_params_that_a_project_takes(client: httpx.Client, project: str) -> None:
    rules = client.get("/api/v1/rules").json()["rules"]
    defaults = {
        rule["name"]: {name: field["default"] for name, field in rule["params"].get("properties", {}).items()}
        for rule in rules
    }
    reply = client.put(project, json={"params": defaults})
    assert reply.status_code == 201, reply.text
    assert reply.json()["params"] == defaults
