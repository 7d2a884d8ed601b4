"""GET /api/v1/advice/transfer."""

import httpx
import pytest

from tests.api.asserts import assert_problem

PATH = "/api/v1/advice/transfer"


@pytest.mark.parametrize(
    ("query", "strategy", "data"),
    [
        ({"similar": "true", "examples": "500"}, "train_head", "small"),
        ({"similar": "true", "data": "large"}, "fine_tune_some", "large"),
        ({"similar": "false", "examples": "1281167", "num_classes": "1000"}, "fine_tune_all", "large"),
        ({"similar": "false", "examples": "5000", "num_classes": "1000"}, "try_several", "small"),
        ({"similar": "true", "examples": "500", "data": "large"}, "fine_tune_some", "large"),
    ],
)
def test_the_table_is_asked(client: httpx.Client, query: dict[str, str], strategy: str, data: str) -> None:
    said = client.get(PATH, params=query).json()
    assert (said["advice"]["strategy"], said["data"]) == (strategy, data)
    assert said["data_reason"]


def test_what_it_needs_is_said(client: httpx.Client) -> None:
    said = client.get(PATH).json()
    assert said["advice"]["missing"] == ["similar", "data"]
    assert said["data_reason"] == "neither `data` nor `examples` was told"
    between = client.get(PATH, params={"similar": "true", "examples": "3000"}).json()
    assert (between["data"], between["advice"]["missing"]) == (None, ["data"])
    assert "between" in between["data_reason"]


@pytest.mark.parametrize("query", ["similar=perhaps", "examples=0", "examples=1e400", "num_classes=1", "data=medium"])
def test_what_cannot_be_meant_is_a_problem(client: httpx.Client, query: str) -> None:
    name = query.partition("=")[0]
    assert name in str(assert_problem(client.get(f"{PATH}?{query}"), 422, "invalid-input"))
