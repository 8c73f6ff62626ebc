"""The ways to serve the model that are put beside each other."""

import sys
from pathlib import Path

from benchmarks.serving.load import Target
from benchmarks.serving.servers import Server
from services.common import artifacts

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).with_name("peers")
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PREFIX = "sentiment/benchmark/"
PREDICT = '{"text": %s}'
CLOSED = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Nothing is looked for on the network, nor told to anyone."""


def quintet(folder: Path, port: int, *, threads: int, target_p95_ms: int) -> Server:
    """Our service, started as its image starts it; its model lies where an earlier download would have left it."""
    scratch = folder / "tmp"
    kept = artifacts.folder_of(PREFIX, scratch / "models")
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.symlink_to(folder / "int8")
    return Server(
        name="Quintet, int8",
        command=(sys.executable, "-m", "services.sentiment"),
        environment={
            "TMPDIR": str(scratch),
            "PYTHONPATH": str(ROOT),
            "AWS_REGION": "us-east-1",
            "ENVIRONMENT": "benchmark",
            "LOG_LEVEL": "WARNING",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "MODELS_BUCKET": "benchmark",
            "MODEL_PREFIX": PREFIX,
            "BACKEND": "onnx",
            "THREADS": str(threads),
            "AUTHORIZATION": "none",
            "API_KEYS": "{}",
            "JWT_ISSUER": "",
            "JWT_AUDIENCES": "[]",
            "JWKS_URL": "",
            "CORS_ORIGINS": "[]",
            "RATE_LIMIT": "0",
            "CONCURRENCY_PER_KEY": "0",
            "MAX_BATCH_TOKENS": "4096",
            "MAX_QUEUE_TOKENS": "65536",
            "TARGET_P95_MS": str(target_p95_ms),
            "REQUEST_TIMEOUT_MS": "30000",
            "CACHE_ENTRIES": "10000",
            "CACHE_TTL_SECONDS": "3600",
            "REDIS_URL": "",
            "DRAIN_SECONDS": "5",
        },
        target=Target(url=f"http://127.0.0.1:{port}", path="/predict", body=PREDICT),
        ready="/readyz",
    )


def plain_fastapi(folder: Path, port: int) -> Server:
    """FastAPI around `transformers.pipeline`."""
    uvicorn = ("-m", "uvicorn", "--app-dir", str(PEERS), "--host", "127.0.0.1", "--port", str(port))
    return Server(
        name="FastAPI + transformers.pipeline, fp32",
        command=(str(PEERS_PYTHON), *uvicorn, "--log-level", "warning", "plain_fastapi:app"),
        environment={**CLOSED, "MODEL": str(folder / "hf")},
        target=Target(url=f"http://127.0.0.1:{port}", path="/predict", body=PREDICT),
        ready=None,
    )


def litserve(folder: Path, port: int, backend: str) -> Server:
    """LitServe with batches of up to 32: `torch` as its examples do, `int8` with our model file."""
    return Server(
        name=f"LitServe, {'int8' if backend == 'int8' else 'fp32'}",
        command=(str(PEERS_PYTHON), str(PEERS / "litserve_server.py"), backend, str(folder), str(port)),
        environment=CLOSED,
        target=Target(url=f"http://127.0.0.1:{port}", path="/predict", body=PREDICT),
        ready=None,
    )


def infinity(folder: Path, port: int) -> Server:
    """Infinity with its torch engine."""
    options = ("--engine", "torch", "--device", "cpu", "--no-bettertransformer", "--batch-size", "32")
    return Server(
        name="Infinity, fp32",
        command=(
            str(PEERS_PYTHON.with_name("infinity_emb")),
            *("v2", "--model-id", str(folder / "hf"), "--served-model-name", "model", *options),
            *("--host", "127.0.0.1", "--port", str(port)),
        ),
        environment={**CLOSED, "INFINITY_ANONYMOUS_USAGE_STATS": "0"},
        target=Target(url=f"http://127.0.0.1:{port}", path="/classify", body='{"input": [%s], "model": "model"}'),
        ready="/health",
    )
