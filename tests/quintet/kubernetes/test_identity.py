"""Pod Identity: whose credentials a pod gets, by the protocol that botocore speaks."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from quintet.sandbox.kubernetes.credentials import Association
from tests.quintet.kubernetes.conftest import NAMESPACE, ROLE, Running, deployment, eventually, thing

# What botocore finds in the environment of a pod, without a call of AWS.
ASKS = """
import json, os, botocore.session
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        session = botocore.session.get_session()
        found = session.get_credentials()
        body = None if found is None else [found.access_key, found.secret_key, found.token, found.method,
                                           session.get_config_variable("region")]
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass

HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def asking() -> dict[str, Any]:
    return deployment(
        container={"image": "asks@sha256:0", "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1}},
        pod={"serviceAccountName": "clerk", "terminationGracePeriodSeconds": 1},
    )


async def associate(running: Running, account: str = "clerk") -> None:
    association = Association(cluster="c", namespace=NAMESPACE, service_account=account, role_arn=ROLE)
    await asyncio.to_thread(running.cluster.associate, "a-1", association)


@pytest.fixture
async def clerk(running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Running:
    """A ServiceAccount, and a user of this machine who has credentials of a real account."""
    home = tmp_path / "user"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id = real\naws_secret_access_key = real\n")
    monkeypatch.setenv("HOME", str(home))
    running.build("asks", ASKS)
    await running.apply(thing("ServiceAccount", "clerk"))
    return running


async def test_a_pod_has_the_credentials_of_the_role_of_its_account(clerk: Running) -> None:
    await associate(clerk)
    await clerk.apply(asking())

    [pod] = await clerk.pods()
    found = await clerk.get(pod, "/")
    assert found == ["ASIA0001", "secret-of-the-role", "token-of-the-role", "container-role", "us-east-1"]
    assert clerk.assumed == [(ROLE, f"eks-sandbox-{pod.name}")]


async def test_a_pod_without_an_association_has_none_not_even_the_users(clerk: Running) -> None:
    await associate(clerk, "somebody-else")
    await clerk.apply(asking())

    [pod] = await clerk.pods()
    assert await clerk.get(pod, "/") is None
    assert clerk.assumed == []


async def test_an_association_that_comes_later_is_for_pods_that_start_later(clerk: Running) -> None:
    await clerk.apply(asking())
    await associate(clerk)
    [old] = await clerk.pods()
    before = await clerk.get(old, "/")

    again = asking()
    again["spec"]["template"]["metadata"]["labels"]["turn"] = "2"
    await clerk.apply(again)

    [new] = await clerk.pods()
    assert before is None
    assert (await clerk.get(new, "/"))[0] == "ASIA0001"


async def test_credentials_are_fetched_anew_before_they_expire(clerk: Running) -> None:
    await associate(clerk)
    clerk.credential_life = timedelta(minutes=5)
    await clerk.apply(asking())
    [pod] = await clerk.pods()

    first, second = await clerk.get(pod, "/"), await clerk.get(pod, "/")

    assert first[0] != second[0]


async def test_credentials_are_used_again_while_they_live(clerk: Running) -> None:
    await associate(clerk)
    await clerk.apply(asking())
    [pod] = await clerk.pods()

    first, second = await clerk.get(pod, "/"), await clerk.get(pod, "/")

    assert first == second
    assert len(clerk.assumed) == 1


@pytest.mark.parametrize("token", ["", "guessed", "gu\u00e9ssed"])
async def test_a_token_that_was_never_given_is_refused(clerk: Running, token: str) -> None:
    await associate(clerk)
    await clerk.apply(asking())

    async with httpx.AsyncClient() as client:
        answer = await client.get(clerk.cluster._identity.url, headers={"Authorization": token.encode()})

    assert answer.status_code == 401
    assert clerk.assumed == []


async def test_the_token_of_a_pod_that_is_gone_is_refused(clerk: Running) -> None:
    await associate(clerk)
    await clerk.apply(asking())
    [pod] = await clerk.pods()
    [token] = clerk.cluster._identity._holders

    await clerk.delete("Deployment", "web")

    async with httpx.AsyncClient() as client:
        answer = await client.get(clerk.cluster._identity.url, headers={"Authorization": token})
    assert answer.status_code == 401
    assert pod.name


async def test_a_role_that_may_not_be_assumed_is_told_to_the_sdk(clerk: Running) -> None:
    await associate(clerk)
    clerk.refuses_roles = True
    await clerk.apply(asking())
    [token] = clerk.cluster._identity._holders

    async with httpx.AsyncClient() as client:
        answer = await client.get(clerk.cluster._identity.url, headers={"Authorization": token})

    assert answer.status_code == 400
    assert "the role does not trust pods" in answer.json()["Message"]


async def test_a_token_is_in_no_log_and_only_its_owner_reads_its_file(clerk: Running) -> None:
    await associate(clerk)
    await clerk.apply(asking())
    [token] = clerk.cluster._identity._holders

    files = list((clerk.folder / "scratch").rglob("token"))
    await eventually(lambda: len(files) == 1)
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600]
    assert token not in clerk.log()
