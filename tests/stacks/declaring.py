"""What tests of components share: parts to build on, and ways to read what was recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quintet.sandbox.engine.recording import Recording
from quintet.sandbox.engine.state import Resource
from stacks.components.alarm_topic import AlarmTopic, AlarmTopicArgs
from stacks.components.function import ContainerLambda, ContainerLambdaArgs
from stacks.components.image import Registry, ServiceImage, ServiceImageArgs

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0a1b"
STACKS = ("sandbox", "dev", "staging", "prod")
# Every setting that adds or changes a resource.
EVERYTHING = {
    "kmsKey": KEY,
    "permissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/bound",
    "alarmEmails": ["ops@example.com"],
    "tags": {"cost-centre": "42"},
    "moderationReservedConcurrency": 10,
    "moderationDomain": "moderation.example.com",
    "moderationCertificate": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1",
    "moderationZone": "Z0123456789",
    "moderationAuthorization": "jwt",
    "moderationJwtIssuer": "https://issuer.example.com",
    "moderationJwtAudiences": ["quintet"],
    "moderationCorsOrigins": ["https://www.example.com"],
    "clusterPublicAccess": ["203.0.113.0/24"],
    "sentiment": True,
    "sentimentStable": json.dumps(
        {
            "image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/quintet-dev/sentiment@sha256:{'a' * 64}",
            "model": "sentiment/1.0.0/",
        }
    ),
    "sentimentCanaryWeight": 10,
    "sentimentCache": "valkey",
    "sentimentMonitoring": "operator",
    "sentimentDomain": "sentiment.example.com",
    "sentimentCertificate": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/2",
    "sentimentZone": "Z0123456789",
    "sentimentAuthorization": "api_key",
    "sentimentApiKeys": json.dumps({"partner": "a-key-that-nobody-guesses"}),
    "sentimentCorsOrigins": ["https://www.example.com"],
}
REGISTRY = Registry(account=ACCOUNT, region="us-east-1")

Declare = Callable[..., Recording]


def parsed(value: Any) -> Any:
    """A JSON text among a resource's inputs."""
    return json.loads(value)


def statements(policy: Resource, key: str = "policy") -> list[dict[str, Any]]:
    """The statements of a resource's policy."""
    return parsed(policy.inputs[key])["Statement"]


def granted(recording: Recording) -> dict[str, list[str]]:
    """What the only role may do: resources by action."""
    found: dict[str, list[str]] = {}
    for statement in statements(recording.one("aws:iam/rolePolicy:RolePolicy")):
        for action in statement["Action"]:
            found.setdefault(action, []).extend(statement["Resource"])
    return found


def small_context(root: Path, *, ignore: str = "*\n!app\n") -> Path:
    """A folder to build an image from: `Dockerfile`, its .dockerignore and `app/main.py`."""
    (root / "app").mkdir(parents=True)
    (root / "app" / "main.py").write_text("def handler(event, context): return event\n")
    (root / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY app /var/task/app\n")
    (root / "Dockerfile.dockerignore").write_text(ignore)
    return root


def a_topic() -> AlarmTopic:
    return AlarmTopic("alarms", AlarmTopicArgs(account=ACCOUNT))


def an_image(context: Path, **changes: Any) -> ServiceImage:
    given = {"dockerfile": "Dockerfile", "context": context, "base_image": "python:3.12", "registry": REGISTRY}
    return ServiceImage("echo", ServiceImageArgs(**(given | changes)))


def a_function(context: Path, **changes: Any) -> ContainerLambda:
    given = {"image": an_image(context), "handler": "app.main.handler", "alarms": a_topic()}
    return ContainerLambda("echo", ContainerLambdaArgs(**(given | changes)))
