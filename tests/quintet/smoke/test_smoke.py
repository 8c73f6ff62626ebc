"""How the checks of services are found, run and shown."""

import json
import shlex
import stat
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from threading import Thread

import httpx
import pytest

from quintet.errors import Exit, QuintetError
from quintet.smoke import deployed, report, services
from quintet.smoke.curl import curl
from quintet.smoke.runner import run, select
from quintet.smoke.services import ServiceChecks
from services.common.smoke import CheckFailed, Example

EXAMPLE = Example(method="POST", path="/echo", body={"text": 'It\'s "fine" é $HOME `x`'})


@pytest.fixture
def echo() -> Iterator[str]:
    """A service below a path that answers with the path and the body it got."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            answer = {"method": self.command, "path": self.path, "body": json.loads(body) if body else None}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 - the server's names

        def log_message(self, *arguments: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/api/"
    server.shutdown()
    server.server_close()


def reaches_below_the_prefix(client: httpx.Client) -> None:
    """The path is below the address."""
    assert client.get("/health").json()["path"] == "/api/health"


def never_holds(client: httpx.Client) -> None:
    """Water flows uphill."""
    raise CheckFailed("it flowed down")


def is_broken(client: httpx.Client) -> None:
    """The check has a mistake."""
    raise KeyError("typo")


def results_of(url: str, *checks) -> list:
    return list(run([ServiceChecks("echo", EXAMPLE, checks)], {"echo": url}))


def test_a_check_that_holds_is_ok_and_timed(echo: str):
    (result,) = results_of(echo, reaches_below_the_prefix)

    assert (result.ok, result.check, result.message) == (True, "The path is below the address.", "")
    assert result.milliseconds > 0


def test_a_check_that_does_not_hold_says_why_and_the_others_still_run(echo: str):
    results = results_of(echo, never_holds, reaches_below_the_prefix)

    assert [(result.ok, result.message) for result in results] == [(False, "it flowed down"), (True, "")]


def test_a_check_with_a_mistake_of_its_own_is_a_failure(echo: str):
    (result,) = results_of(echo, is_broken)

    assert (result.ok, result.message) == (False, "the check itself failed: KeyError: 'typo'")


def test_a_service_that_does_not_answer_is_a_failure():
    (result,) = results_of("http://127.0.0.1:1/", reaches_below_the_prefix)

    assert not result.ok
    assert "no answer from http://127.0.0.1:1/" in result.message


def test_results_are_a_table_with_the_reasons_below(echo: str, capsys):
    report.show(results_of(echo, never_holds))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["SERVICE", "CHECK", "RESULT", "MS"]
    assert lines[1].split()[:4] == ["echo", "Water", "flows", "uphill."]
    assert lines[2] == "echo: Water flows uphill. it flowed down"


@pytest.mark.parametrize(
    "example",
    [
        EXAMPLE,
        Example(method="GET", path="/things?of=me&more"),
        Example(method="PUT", path="/policy", body={"a": [1, None]}),
        Example(method="DELETE", path="/policy"),
        Example(method="POST", path="/empty"),
    ],
)
def test_the_curl_line_does_in_a_shell_what_the_example_says(echo: str, example: Example):
    line = curl(echo, example)

    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, check=True)

    answer = json.loads(done.stdout)
    assert answer == {"method": example.method, "path": "/api" + example.path, "body": example.body}
    assert shlex.split(line)[0] == "curl"


def test_the_services_are_those_of_the_entry_points():
    assert "moderation" in services.known()


def test_an_unknown_service_is_refused_by_name():
    with pytest.raises(QuintetError, match=r"moderatoin.*moderation") as told:
        select(["moderatoin"], {"moderation": "http://127.0.0.1:1"})

    assert told.value.exit_code is Exit.USAGE


def test_a_service_that_is_not_deployed_cannot_be_tried():
    with pytest.raises(QuintetError, match="moderation is not deployed") as told:
        select(["moderation"], {})

    assert told.value.advice == "Run `quintet up moderation`."


def test_a_deployed_service_without_checks_is_not_passed_over():
    with pytest.raises(QuintetError, match="newcomer is deployed, yet has no entry point"):
        select([], {"newcomer": "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("CHECKS = (print,)", "EXAMPLE"),
        ("EXAMPLE = 1\nCHECKS = ()", "CHECKS is empty"),
        ("import absent_module", "absent"),
    ],
)
def test_checks_that_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, fault: str):
    (tmp_path / f"checks_{len(content)}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("echo", f"checks_{len(content)}", services.GROUP)
    monkeypatch.setattr(services, "entry_points", lambda group: [point])

    with pytest.raises(QuintetError, match=fault):
        services.load("echo")


def fake_pulumi(folder: Path, script: str) -> None:
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_a_deployed_stack_is_read_with_the_pulumi_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_pulumi(tmp_path, """echo "$@" > asked; echo '{"endpoints": {"moderation": {"url": "https://m.example/"}}}'""")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    found = deployed.endpoints(tmp_path, "dev")

    assert found == {"moderation": "https://m.example/"}
    assert (tmp_path / "asked").read_text().startswith("stack output --json --stack dev")


def test_without_the_pulumi_cli_a_stack_cannot_be_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(QuintetError, match="`pulumi` is not on PATH") as told:
        deployed.endpoints(tmp_path, "dev")

    assert told.value.exit_code is Exit.TOOL_MISSING


def test_what_the_pulumi_cli_complains_of_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_pulumi(tmp_path, "echo 'no stack named dev' >&2; exit 255")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    with pytest.raises(QuintetError, match="no stack named dev"):
        deployed.endpoints(tmp_path, "dev")


@pytest.mark.parametrize(
    "outputs", ["", "{}", '{"endpoints": "x"}', '{"endpoints": {"a": {}}}', '{"endpoints": {"a": 1}}']
)
def test_a_stack_without_endpoints_is_told(outputs: str):
    with pytest.raises(QuintetError, match="no output `endpoints`"):
        deployed.parse(outputs, "dev")
