"""The pipelines of docs/ci.md and the GitHub Action: well-formed, and their shell does what they say."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from junitparser import JUnitXml

from app.demo.server import running_server
from app.reports import check_markdown
from tests.checked import checked
from tests.cli.recorded import send

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
DOCS = (ROOT / "docs" / "ci.md").read_text()
WORKFLOW, GITLAB = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL))
(JENKINS,) = re.findall(r"script: '''\n(.*?)'''", DOCS, re.DOTALL)
(CLIENT,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
GOOD, BAD, DOUBTFUL = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server with a main branch, and a commit for each outcome."""
    with running_server() as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        send(client, "mnist", "before", "mlp-step-decay", tags={"branch": "main"}, commit="0" * 40)
        send(client, "mnist", "good", "mlp-step-decay", commit=GOOD)
        send(client, "mnist", "bad", "mlp-300-samples", commit=BAD)
        send(client, "mnist", "doubtful", "mlp-cosine", commit=DOUBTFUL)
        yield url


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `curvewise` on it as an installation has it."""
    folder = tmp_path_factory.mktemp("tools")
    command = folder / "curvewise"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m app.cli.main "$@"\n')
    command.chmod(0o755)
    return folder


def bash(script: str, here: Path, tools: Path, environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """A script as GitHub and GitLab run it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CURVEWISE_", "GITHUB_"))}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script],
        cwd=here,
        env={**kept, "PATH": f"{tools}:{kept['PATH']}", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("schema", "document"),
    [("vendor.github-actions", ACTION), ("vendor.github-workflows", WORKFLOW), ("vendor.gitlab-ci", GITLAB)],
    ids=["action", "workflow", "gitlab"],
)
def test_they_are_what_their_vendors_schemas_take(tmp_path: Path, schema: str, document: dict[str, Any]) -> None:
    # "on" is a word to GitHub and true to YAML 1.1.
    plain = {"on" if key is True else key: value for key, value in document.items()}
    (tmp_path / "document.json").write_text(json.dumps(plain))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(tmp_path / "document.json")]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gitlab(server: str, tools: Path, tmp_path: Path) -> None:
    job = GITLAB["curves"]
    environ = {**job["variables"], "CURVEWISE_URL": server, "CI_COMMIT_SHA": BAD}
    done = bash("\n".join(job["script"]), tmp_path, tools, environ)
    assert done.returncode == 1, done.stdout + done.stderr
    named = {*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()}
    assert {path.name for path in tmp_path.iterdir()} == named
    assert JUnitXml.fromstring((tmp_path / "junit.xml").read_bytes()).failures == 1
    assert job["allow_failure"] == {"exit_codes": 3}


def test_jenkins(server: str, tools: Path, tmp_path: Path) -> None:
    done = bash(JENKINS, tmp_path, tools, {"CURVEWISE_URL": server, "GIT_COMMIT": DOUBTFUL})
    assert done.returncode == 3, done.stdout + done.stderr
    archived = re.findall(r"(?:junit|archiveArtifacts) '(.*?)'", DOCS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(archived)


class Action:
    """The steps of the action, run as a runner would: each with its own environment, files and outputs."""

    def __init__(self, here: Path, tools: Path, **given: str) -> None:
        self.here, self.tools = here, tools
        self.inputs = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()} | given
        self.summary, self.output = here / "summary.md", here / "output"
        self.reports = here / "temp" / "curvewise-reports" / self.inputs["name"]
        installed = here / "temp" / "curvewise" / "bin"
        installed.mkdir(parents=True, exist_ok=True)
        shutil.copy(tools / "curvewise", installed / "curvewise")
        self.environ = {
            "RUNNER_TEMP": str(here / "temp"),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.output),
        }

    def run(self, step: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        given = {name: self._filled(text) for name, text in STEPS[step].get("env", {}).items()}
        return bash(STEPS[step]["run"], self.here, self.tools, {**self.environ, **given, **environ})

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: self.inputs[match[1]], text)


@pytest.mark.parametrize(
    ("target", "given", "code", "exits"),
    [
        (f"mnist@{DOUBTFUL}", {}, "3", 0),
        (f"mnist@{DOUBTFUL}", {"investigate": "true"}, "3", 3),
        ("mnist/nobody", {}, "2", 2),
        (f"\nmnist/good\n\n  mnist@{BAD}\n", {"baseline": "mnist/before\nmain\n", "location": "a b.py"}, "1", 1),
    ],
)
def test_the_actions_check(
    server: str, tools: Path, tmp_path: Path, target: str, given: dict[str, str], code: str, exits: int
) -> None:
    action = Action(tmp_path, tools, **{"targets": target, "baseline": "main", "url": server, **given})
    done = action.run("check")
    assert done.returncode == exits, done.stdout + done.stderr
    outputs = dict(line.split("=", 1) for line in action.output.read_text().splitlines())
    assert outputs["code"] == code
    if code == "2":
        return
    assert action.summary.read_text().startswith("## curvewise: ")
    assert (action.reports / "comment.md").read_text().startswith("<!-- curvewise-check curvewise -->\n## curvewise: ")
    results = json.loads(Path(outputs["sarif"]).read_text())["runs"][0]["results"]
    assert any(result["ruleId"] == "regression" for result in results) is (code == "1")
    assert ("::error file=" in done.stdout) is (code == "1")
    if "location" in given:
        assert action.summary.read_text().count("2 passed") + action.summary.read_text().count("1 passed") == 1
        assert {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in results} == {"a%20b.py"}


class Comments:
    """As much of GitHub's comments as the action asks for; what it was sent is what a pull request would show."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        self.asked: list[str] = []
        comments = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(comments.shown)

            def do_POST(self) -> None:
                comments.shown.append({"id": len(comments.shown) + 1, "user": {"type": "Bot"}, **self._body()})
                self._answer(comments.shown[-1])

            def do_PATCH(self) -> None:
                comment = comments.shown[int(self.path.rsplit("/", 1)[1]) - 1]
                comment.update(self._body())
                self._answer(comment)

            def _body(self) -> dict[str, Any]:
                body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                return body

            def _answer(self, content: object) -> None:
                comments.asked.append(f"{self.command} {self.path} {self.headers['Authorization']}")
                text = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def comments() -> Iterator[Comments]:
    """A server of comments in a thread."""
    found = Comments()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("jq")),
    reason="the comment is written by curl and jq, which are not here",
)
def test_the_actions_comment_is_updated_in_place(tools: Path, tmp_path: Path, comments: Comments) -> None:
    marked = "<!-- curvewise-check curvewise --> by a stranger"
    comments.shown = [{"id": 1, "user": {"type": "User"}, "body": marked}]
    github = {"GITHUB_API_URL": comments.url, "GITHUB_REPOSITORY": "o/r", "PULL_REQUEST": "7", "NO_PROXY": "127.0.0.1"}
    for recorded, name in (("mlp-rate-3.0", "curvewise"), ("mlp-cosine", "curvewise"), ("mlp-rate-3.0", "nightly")):
        action = Action(tmp_path, tools, **{"name": name, "github-token": "secret"})
        action.reports.mkdir(parents=True, exist_ok=True)
        (action.reports / "comment.md").write_text(check_markdown.render([checked(recorded)], name))
        done = action.run("comment", **github)
        assert done.returncode == 0, done.stdout + done.stderr
    bodies = [comment["body"] for comment in comments.shown]
    assert bodies[0] == marked
    assert "1 passed" in bodies[1]
    assert "## nightly: 1 failed" in bodies[2]
    assert len(bodies) == 3
    assert comments.asked[0] == "GET /repos/o/r/issues/7/comments?per_page=100 Bearer secret"
    assert [asked.split()[:2] for asked in comments.asked if "GET" not in asked] == [
        ["POST", "/repos/o/r/issues/7/comments"],
        ["PATCH", "/repos/o/r/issues/comments/2"],
        ["POST", "/repos/o/r/issues/7/comments"],
    ]


def test_nothing_of_a_stranger_is_pasted_into_the_shell() -> None:
    for step in STEPS.values():
        assert "${{" not in step["run"]


def test_the_workflow_gives_the_action_what_it_takes() -> None:
    (uses,) = [step for step in WORKFLOW["jobs"]["curves"]["steps"] if "curvewise" in step.get("uses", "")]
    assert set(uses["with"]) <= set(ACTION["inputs"])
    required = {name for name, about in ACTION["inputs"].items() if about.get("required")}
    assert required <= set(uses["with"])


def test_a_job_is_found_by_what_it_says_of_itself(server: str, tools: Path, tmp_path: Path) -> None:
    facts = {"CI_JOB_ID": "4711", "CI_COMMIT_SHA": "d" * 40, "CI_COMMIT_REF_NAME": "main"}
    logged = CLIENT + "for step in range(50):\n    run.log(step, {'train/loss': 2.3 * 0.9**step})\nrun.finish()\n"
    (tmp_path / "train.py").write_text(logged)
    trained = bash(
        f"{sys.executable} train.py",
        tmp_path,
        tools,
        {
            **facts,
            "CURVEWISE_URL": server,
            "CURVEWISE_SPOOL": str(tmp_path / "spool"),
            "PYTHONPATH": str(ROOT / "client"),
        },
    )
    assert trained.returncode == 0, trained.stderr
    found = httpx.get(f"{server}/api/v1/projects/mnist/runs/4711", trust_env=False).json()
    assert (found["commit"], found["tags"]["branch"], found["tags"]["job"]) == ("d" * 40, "main", "resnet")


def test_the_action_installs_what_it_is_part_of(tools: Path, tmp_path: Path) -> None:
    """Its own package from its own checkout; what that needs is taken from the tests' installation."""
    action = Action(tmp_path, tools)
    shutil.rmtree(tmp_path / "temp" / "curvewise")
    site = next(path for path in sys.path if path.endswith("site-packages"))
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1", "PYTHONPATH": site}
    done = action.run("install", **offline)
    assert done.returncode == 0, done.stderr
    told = bash("temp/curvewise/bin/curvewise check --help", tmp_path, tools, {"PYTHONPATH": site})
    assert "--fail-on" in told.stdout, told.stderr
    assert list((tmp_path / "temp" / "curvewise").glob("lib/python3*/site-packages/app/cli/check.py"))
