"""The program as its settings can make it, as far as Kubernetes is concerned."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quintet.sandbox.engine.recording import Recording, record
from tests.stacks.manifests.declared import Declared

ACCOUNT = "123456789012"
LIVE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/quintet-prod-sentiment@sha256:{'a' * 64}"
EXISTING = {
    "cluster": "existing",
    "clusterName": "shared",
    "clusterKubeconfig": "{}",
    "clusterSecurityGroup": "sg-0123456789abcdef0",
    "networkVpc": "vpc-0123456789abcdef0",
    "networkPrivateSubnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
}

VARIANTS: dict[str, dict[str, Any]] = {
    "cluster made here": {},
    "existing cluster": EXISTING,
    "existing cluster with the controller": EXISTING | {"clusterBalancing": "controller"},
    "canary": {
        "sentimentStable": json.dumps({"image": LIVE, "model": "sentiment/1.0.0/"}),
        "sentimentCanaryWeight": 10,
    },
    "operator": {"sentimentMonitoring": "operator"},
    "valkey": {"sentimentCache": "valkey"},
    "no cache": {"sentimentCache": "none"},
    "keys": {
        "sentimentAuthorization": "api_key",
        "sentimentApiKeys": json.dumps({"partner": "a-key-that-nobody-guesses"}),
        "sentimentMonitoring": "operator",
        "sentimentCache": "valkey",
    },
    "smallest": {"sentimentMinReplicas": 1, "sentimentMaxReplicas": 1, "sentimentCpu": 250, "sentimentMemory": 256},
    "sandbox": {},
    "dev": {},
    "staging": {},
}
"""Settings by what they are about; those of a stack of that name, or of prod."""
STACKS = ("sandbox", "dev", "staging")

Recorded = Callable[..., Declared]


def model_in(folder: Path) -> Path:
    """The directory of a complete model."""
    (folder / "model.onnx").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    files = {"model.onnx": {"sha256": "a" * 64, "bytes": 7}, "tokenizer.json": {"sha256": "b" * 64, "bytes": 2}}
    (folder / "manifest.json").write_text(json.dumps({"name": "sentiment", "version": "1.2.0", "files": files}))
    return folder


def recorder(repository: Path, model: Path) -> Recorded:
    """Gives the objects of a variant; each is evaluated once."""
    known: dict[str, Recording] = {}

    def of(variant: str, *, last_first: bool = False) -> Declared:
        if variant not in known:
            settings = {"sentiment": True, "sentimentModel": str(model), **VARIANTS[variant]}
            stack = variant if variant in STACKS else "prod"
            known[variant] = record(stack, overrides=settings, root=repository)
        return Declared.by(known[variant], last_first=last_first)

    return of
