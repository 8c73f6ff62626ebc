"""Sentiment: an HTTP API in front of nginx in front of pods that read their model from S3."""

import hashlib
import json
import math
from dataclasses import dataclass

import pulumi

from stacks.components.bucket import Bucket, BucketArgs
from stacks.components.cache import PORT as CACHE_PORT
from stacks.components.cache import READER_PORT, SharedCache, SharedCacheArgs
from stacks.components.custom_domain import CustomDomain
from stacks.components.http_api import Authorization, HttpApi, HttpApiArgs, Throttle
from stacks.components.image import ServiceImage, ServiceImageArgs
from stacks.components.kubernetes_service import KubernetesService, KubernetesServiceArgs, Scale
from stacks.components.model import publish_model
from stacks.components.monitoring import Monitoring, MonitoringArgs
from stacks.components.names import stack_prefix
from stacks.components.namespaces import Namespace, make_namespace
from stacks.components.nginx_config import BACKEND_HEALTH, PORT, NginxArgs, Upstream
from stacks.components.nginx_front import SERVICE_PORT, NginxFrontArgs, nginx_front, selector
from stacks.components.peers import Peer, https
from stacks.components.pods import Probe, Probes, Stopping
from stacks.components.private_balancer import PrivateBalancer, PrivateBalancerArgs
from stacks.components.workload_identity import WorkloadIdentity
from stacks.platform import Ground
from stacks.sentiment_monitoring import Watched, dashboard, rules
from stacks.settings import ROOT, Sentiment
from stacks.shared import Deployed, Shared

NAME = "sentiment"
CANARY, NGINX = f"{NAME}-canary", f"{NAME}-nginx"
POD_PORT = 8000
HEALTH = "/healthz"
ROUTES = ("/predict", "/predict/batch", "/healthz", "/livez", "/readyz", "/model/info", "/docs", "/openapi.json")
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


def deploy(settings: Sentiment, shared: Shared, ground: Ground) -> Deployed:
    """Declare the service."""
    common, options = shared.settings, ground.cluster.options
    image = _image(NAME, "services/sentiment/Dockerfile", "python-slim", shared)
    nginx_image = _image("sentiment-nginx", "services/sentiment/nginx/Dockerfile", "nginx-unprivileged", shared)
    models = Bucket(
        "sentiment-models",
        BucketArgs(logs=shared.logs, kms_key_arn=common.kms_key, protected=common.protected),
        options,
    )
    model = publish_model(NAME, settings.model, bucket=models)
    namespace = make_namespace(NAME, f"{stack_prefix()}-{NAME}", ground.cluster)
    identity = WorkloadIdentity(NAME, namespace, {"MODELS_BUCKET": models.read(f"{NAME}/")}, options)
    cache = _cache(settings, shared, ground)
    own = Live(image=image.uri, model=model.prefix)
    live = Live(image=settings.stable.image, model=settings.stable.model) if settings.stable else own
    pods = _Pods(settings, ground, identity, namespace, cache, after=(*image.ready, *model.objects))
    stable = pods.deploy(NAME, "stable", live, Scale(minimum=settings.min_replicas, maximum=settings.max_replicas))
    if settings.canary_weight:
        pods.deploy(CANARY, "canary", own, _scale_of_canary(settings))
    balancer = PrivateBalancer(
        NAME,
        PrivateBalancerArgs(
            place=ground.place,
            namespace=namespace,
            service=NGINX,
            service_port=SERVICE_PORT,
            pod_port=PORT,
            health_path=BACKEND_HEALTH,
            alarms=shared.alarms,
            protected=common.protected,
        ),
        options,
    )
    nginx_front(
        NGINX,
        NginxFrontArgs(
            namespace=namespace,
            application=NAME,
            image=nginx_image.uri,
            version=shared.base_images["nginx-unprivileged"].tag,
            config=_nginx(settings, ground, namespace),
            backends=Peer(port=POD_PORT, labels={"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "api"}),
            after=(*nginx_image.ready, *balancer.ready, stable.workload),
        ),
        options,
    )
    api = HttpApi(
        NAME,
        HttpApiArgs(
            routes={"ANY /{path+}": balancer},
            alarms=shared.alarms,
            throttle=Throttle(rate=settings.throttle_rate, burst=settings.throttle_burst),
            authorization=_at_the_edge(settings),
            jwt_issuer=settings.jwt_issuer,
            jwt_audiences=settings.jwt_audiences,
            cors_origins=settings.cors_origins,
            domain=_domain(settings),
            log_retention_days=common.log_retention_days,
            kms_key_arn=common.kms_key,
        ),
        options,
    )
    if settings.monitoring == "operator":
        _monitoring(settings, namespace, options)
    return Deployed(
        api.url,
        {
            "cluster": ground.cluster.name,
            "namespace": namespace.name,
            "image": own.image,
            "model": own.model,
            "live": live.declared(),
        },
        HEALTH,
        rollout={
            "kind": "kubernetes",
            "cluster": ground.cluster.name,
            "namespace": namespace.name,
            "stable": NAME,
            "canary": CANARY,
            "live": live.declared(),
            "candidate": own.declared(),
            "stableSetting": "sentimentStable",
            "weightSetting": "sentimentCanaryWeight",
            "metrics": NAME,
        },
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


def _image(name: str, dockerfile: str, base: str, shared: Shared) -> ServiceImage:
    return ServiceImage(
        name,
        ServiceImageArgs(
            dockerfile=dockerfile,
            context=ROOT,
            base_image=shared.base_images[base].reference,
            registry=shared.registry,
            kms_key_arn=shared.settings.kms_key,
            protected=shared.settings.protected,
            pulled_by="nodes",
        ),
        shared.options,
    )


def _cache(settings: Sentiment, shared: Shared, ground: Ground) -> SharedCache | None:
    if settings.cache == "none":
        return None
    args = SharedCacheArgs(
        place=ground.place, clients=[ground.cluster.security_group], kms_key_arn=shared.settings.kms_key
    )
    return SharedCache(NAME, args, shared.options)


def _at_the_edge(settings: Sentiment) -> Authorization:
    """Keys of the service's own are its own to check; signatures only AWS can check, and tokens both do."""
    return Authorization.NONE if settings.authorization == "api_key" else Authorization(settings.authorization)


def _domain(settings: Sentiment) -> CustomDomain | None:
    if not settings.domain or not settings.certificate:
        return None
    return CustomDomain(name=settings.domain, certificate_arn=settings.certificate, zone_id=settings.zone)


def _scale_of_canary(settings: Sentiment) -> Scale:
    """As many pods as its share of the requests needs."""
    least = math.ceil(settings.min_replicas * settings.canary_weight / 100)
    return Scale(minimum=least, maximum=max(least, settings.max_replicas))


def _nginx(settings: Sentiment, ground: Ground, namespace: Namespace) -> NginxArgs:
    def upstream(variant: str, service: str) -> Upstream:
        return Upstream(name=variant, host=f"{service}.{namespace.name}.svc.cluster.local", port=POD_PORT)

    return NginxArgs(
        stable=upstream("stable", NAME),
        canary=upstream("canary", CANARY) if settings.canary_weight else None,
        canary_percent=settings.canary_weight,
        readiness_path="/readyz",
        routes=ROUTES,
        resolver=ground.cluster.dns,
        trusted=ground.place.edge.cidrs,
        # One caller may take all that the API lets through, and no more.
        rate=settings.throttle_rate,
        burst=settings.throttle_burst,
    )


def _monitoring(settings: Sentiment, namespace: Namespace, options: pulumi.ResourceOptions) -> None:
    watched = Watched(
        namespace=namespace.name,
        target_p95_ms=settings.target_p95,
        cpu_millicores=settings.cpu,
        memory_mb=settings.memory,
    )
    args = MonitoringArgs(
        namespace=namespace,
        selector={"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "api"},
        rules=rules(watched),
        dashboard=dashboard(watched),
    )
    Monitoring(NAME, args, options)


@dataclass(frozen=True)
class _Pods:
    """What the pods of both variants have in common."""

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
                component="api",
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
