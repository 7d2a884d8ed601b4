"""Whatever a client of MLflow's subset sends is answered, as an error or not, and never by a failure of the server."""

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.mlflow.app import PREFIX
from tests.api.test_auth import ALL

POSTS = sorted({path for method, path in ALL if method == "POST" and path.startswith(f"{PREFIX}/api")})
GETS = sorted({path for method, path in ALL if method == "GET" and path.startswith(f"{PREFIX}/api")})
IDS = ("0", "1", "2", "f" * 32, "r", "", "9" * 40, "-1")
NAMES = (
    *("run_id", "experiment_id", "experiment_ids", "name", "run_name", "key", "value", "timestamp", "step", "metrics"),
    *("params", "tags", "status", "filter", "max_results", "page_token", "order_by", "start_time", "model_json", "x"),
)
_plain = (
    st.none()
    | st.booleans()
    | st.sampled_from((*IDS, "NaN", "metrics.loss > 1", "tags.a LIKE '%'", "start_time DESC"))
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
)
_values = st.recursive(
    _plain,
    lambda one: st.lists(one, max_size=4) | st.dictionaries(st.sampled_from(NAMES), one, max_size=5),
    max_leaves=12,
)
_bodies = st.dictionaries(st.sampled_from(NAMES), _values, max_size=7)
FEW = settings(
    max_examples=150, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def check(reply: httpx.Response) -> None:
    assert reply.status_code < 500 or reply.json()["error_code"] == "NOT_IMPLEMENTED", reply.text
    said = json.loads(reply.content)
    assert reply.status_code < 400 or said["error_code"]


@FEW
@given(path=st.sampled_from(POSTS), body=_bodies)
def test_any_body_is_answered(server: httpx.Client, path: str, body: dict[str, Any]) -> None:
    text = json.dumps(body).encode(errors="surrogatepass")
    check(server.post(path.replace("{model_id}", "m"), content=text, headers={"Content-Type": "application/json"}))


@FEW
@given(
    path=st.sampled_from(GETS),
    query=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(IDS) | st.text(max_size=5)),
)
def test_any_query_is_answered(server: httpx.Client, path: str, query: dict[str, str]) -> None:
    sent = {name: value.encode(errors="replace").decode() for name, value in query.items()}
    check(server.get(path.replace("{model_id}", "m").replace("{path}", "a"), params=sent))
