"""What every refusal must look like."""

import httpx


def assert_problem(response: httpx.Response, status: int, name: str) -> dict[str, object]:
    """The problem document of a reply that must be one."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = response.json()
    assert document["type"] == f"urn:curvewise:problem:{name}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document
