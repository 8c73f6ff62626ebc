"""The pods of sentiment: what they are told, how they are asked and stopped, whom they hear."""

import hashlib
import json
import math
from dataclasses import dataclass

import pulumi

from stacks.components.cache import PORT as CACHE_PORT
from stacks.components.cache import READER_PORT, SharedCache
from stacks.components.kubernetes_service import KubernetesService, KubernetesServiceArgs, Scale
from stacks.components.namespaces import Namespace
from stacks.components.nginx_front import selector
from stacks.components.peers import Peer, https
from stacks.components.pods import Probe, Probes, Stopping
from stacks.components.workload_identity import WorkloadIdentity
from stacks.ground import Ground
from stacks.settings import Sentiment

NAME, COMPONENT = "sentiment", "api"
SELECTOR = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": COMPONENT}
"""The labels of the pods and the Services of both variants."""
POD_PORT = 8000
MONITORING_NAMESPACE = "monitoring"
"""Where Prometheus runs on a cluster with its operator."""

_REQUEST_TIMEOUT_MS = (
    25_000  # below nginx's 28 s and the HTTP API's 30 s, so that the service itself says what took long
)
_DRAIN_SECONDS = 5
_CONCURRENCY_PER_KEY = 64
_MAX_BATCH_TOKENS = 4096
_MAX_QUEUE_TOKENS = 128 * 512  # the largest batch that a caller may send, with every text as long as a model takes
_CACHE_ENTRIES = 20_000  # about 10 MB
_CACHE_TTL_SECONDS = 3_600
_STOPPING = Stopping(notice_seconds=10, drain_seconds=_DRAIN_SECONDS + _REQUEST_TIMEOUT_MS // 1000)
_PROBES = Probes(
    # Ready only with a model that was fetched, verified and tried.
    startup=Probe(path="/readyz", period_seconds=1, failures=180),
    readiness=Probe(path="/readyz", period_seconds=2, failures=2),
    liveness=Probe(path="/livez", period_seconds=10, failures=3, timeout_seconds=5),
)


@dataclass(frozen=True, kw_only=True)
class Live:
    """A version: code and model.

    Attributes:
        image: `repository@digest`.
        model: What the keys of its model begin with.
    """

    image: pulumi.Input[str]
    model: str

    def declared(self) -> dict[str, pulumi.Input[str]]:
        """As outputs and settings have it."""
        return {"image": self.image, "model": self.model}


@dataclass(frozen=True)
class SentimentPods:
    """What the pods of both variants have in common.

    Attributes:
        settings: The service's.
        ground: What they stand on.
        identity: Who they are.
        namespace: Where they are.
        cache: What they share; None: nothing.
        after: What must exist before one starts.
    """

    settings: Sentiment
    ground: Ground
    identity: WorkloadIdentity
    namespace: Namespace
    cache: SharedCache | None
    after: tuple[pulumi.Resource, ...]

    def deploy(self, name: str, variant: str, version: Live, scale: Scale) -> KubernetesService:
        """Declare one variant."""
        settings = self.settings
        return KubernetesService(
            name,
            KubernetesServiceArgs(
                namespace=self.namespace,
                identity=self.identity,
                application=NAME,
                component=COMPONENT,
                labels={"quintet/variant": variant},
                image=version.image,
                version=version.model.removeprefix(f"{NAME}/").rstrip("/"),
                port=POD_PORT,
                probes=_PROBES,
                stopping=_STOPPING,
                cpu_millicores=settings.cpu,
                memory_mb=settings.memory,
                scale=scale,
                environment=self._environment(version),
                secrets={"API_KEYS": _digests(settings), "REDIS_URL": self.cache.url if self.cache else ""},
                from_pod={"HOST": "status.podIP"},
                admits=self._callers(),
                reaches=self._called(),
                after=self.after,
            ),
            self.ground.cluster.options,
        )

    def _environment(self, version: Live) -> dict[str, pulumi.Input[str]]:
        settings = self.settings
        return {
            "ENVIRONMENT": pulumi.get_stack(),
            "LOG_LEVEL": settings.log_level,
            "PORT": str(POD_PORT),
            "MODEL_PREFIX": version.model,
            "BACKEND": settings.backend,
            "THREADS": str(math.ceil(settings.cpu / 1000)),
            "AUTHORIZATION": "none" if settings.authorization == "iam" else settings.authorization,
            "JWT_ISSUER": settings.jwt_issuer or "",
            "JWT_AUDIENCES": json.dumps(settings.jwt_audiences),
            "JWKS_URL": "",
            "CORS_ORIGINS": json.dumps(settings.cors_origins),
            "RATE_LIMIT": str(settings.rate_limit),
            "CONCURRENCY_PER_KEY": str(_CONCURRENCY_PER_KEY),
            "MAX_BATCH_TOKENS": str(_MAX_BATCH_TOKENS),
            "MAX_QUEUE_TOKENS": str(_MAX_QUEUE_TOKENS),
            "TARGET_P95_MS": str(settings.target_p95),
            "REQUEST_TIMEOUT_MS": str(_REQUEST_TIMEOUT_MS),
            "CACHE_ENTRIES": str(_CACHE_ENTRIES),
            "CACHE_TTL_SECONDS": str(_CACHE_TTL_SECONDS),
            "DRAIN_SECONDS": str(_DRAIN_SECONDS),
        }

    def _callers(self) -> list[Peer]:
        callers = [Peer(port=POD_PORT, labels=selector(NAME))]
        if self.settings.monitoring == "operator":
            callers.append(Peer(port=POD_PORT, namespace=MONITORING_NAMESPACE))
        return callers

    def _called(self) -> list[Peer]:
        if self.cache is None:
            return [https()]
        return [https(), Peer(port=CACHE_PORT, last_port=READER_PORT, cidrs=self.ground.place.nodes.cidrs)]


def _digests(settings: Sentiment) -> str:
    """Names of keys and the keys' hashes: no pod ever sees a key that it is not sent."""
    keys = {
        name: hashlib.sha256(key.get_secret_value().encode()).hexdigest() for name, key in settings.api_keys.items()
    }
    return json.dumps(keys, sort_keys=True)
