"""Sentiment: an HTTP API in front of nginx in front of pods that read their model from S3."""

import math

import pulumi

from stacks.components.bucket import Bucket, BucketArgs
from stacks.components.cache import SharedCache, SharedCacheArgs
from stacks.components.custom_domain import CustomDomain
from stacks.components.http_api import Authorization, HttpApi, HttpApiArgs, Throttle
from stacks.components.image import ServiceImage, ServiceImageArgs
from stacks.components.kubernetes_service import Scale
from stacks.components.model import publish_model
from stacks.components.monitoring import Monitoring, MonitoringArgs
from stacks.components.names import stack_prefix
from stacks.components.namespaces import Namespace, make_namespace
from stacks.components.nginx_config import BACKEND_HEALTH, PORT, NginxArgs, Upstream
from stacks.components.nginx_front import SERVICE_PORT, NginxFrontArgs, nginx_front
from stacks.components.peers import Peer
from stacks.components.private_balancer import PrivateBalancer, PrivateBalancerArgs
from stacks.components.workload_identity import WorkloadIdentity
from stacks.ground import Ground
from stacks.sentiment_monitoring import Watched, dashboard, rules
from stacks.sentiment_pods import NAME, POD_PORT, SELECTOR, Live, SentimentPods
from stacks.settings import ROOT, Sentiment
from stacks.shared import Deployed, Shared

CANARY, NGINX = f"{NAME}-canary", f"{NAME}-nginx"
HEALTH = "/healthz"
ROUTES = ("/predict", "/predict/batch", "/healthz", "/livez", "/readyz", "/model/info", "/docs", "/openapi.json")


def deploy(settings: Sentiment, shared: Shared, ground: Ground) -> Deployed:
    """Declare the service."""
    common, options = shared.settings, ground.cluster.options
    image, nginx_image = build(shared)
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
    pods = SentimentPods(settings, ground, identity, namespace, cache, after=(*image.ready, *model.objects))
    stable = pods.deploy(NAME, "stable", live, Scale(minimum=settings.min_replicas, maximum=settings.max_replicas))
    serving = [stable.workload]
    if settings.canary_weight:
        serving.append(pods.deploy(CANARY, "canary", own, _scale_of_canary(settings)).workload)
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
            backends=Peer(port=POD_PORT, labels=SELECTOR),
            after=(*nginx_image.ready, *balancer.ready, *serving),
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


def build(shared: Shared) -> tuple[ServiceImage, ServiceImage]:
    """Make, or find, the images of the pods and of nginx; also where only another stack runs them."""
    return (
        _image(NAME, "services/sentiment/Dockerfile", "python-slim", shared),
        _image(NGINX, "services/sentiment/nginx/Dockerfile", "nginx-unprivileged", shared),
    )


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
        selector=SELECTOR,
        rules=rules(watched),
        dashboard=dashboard(watched),
    )
    Monitoring(NAME, args, options)
