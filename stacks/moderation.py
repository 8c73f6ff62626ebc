"""Moderation: an HTTP API in front of a Lambda container that reads its model from S3 and logs its decisions."""

import pulumi

from stacks.components.alarms import Alarm, watch
from stacks.components.bucket import Bucket, BucketArgs
from stacks.components.custom_domain import CustomDomain
from stacks.components.dashboard import Dashboards, DashboardsArgs, Graph
from stacks.components.function import ContainerLambda, ContainerLambdaArgs
from stacks.components.hash_key import HashKey, HashKeyArgs
from stacks.components.http_api import Authorization, HttpApi, HttpApiArgs, Throttle
from stacks.components.image import ServiceImage, ServiceImageArgs
from stacks.components.model import publish_model
from stacks.components.table import Table, TableArgs, TableIndex
from stacks.settings import ROOT, Moderation
from stacks.shared import KEY_DELETION_DAYS, Deployed, Shared

NAME = "moderation"


def deploy(settings: Moderation, shared: Shared) -> Deployed:
    """Declare the service."""
    common, options = shared.settings, shared.options
    image = ServiceImage(
        NAME,
        ServiceImageArgs(
            dockerfile="services/moderation/Dockerfile",
            context=ROOT,
            base_image=shared.base_images["lambda-python"].reference,
            registry=shared.registry,
            architecture=settings.architecture,
            kms_key_arn=common.kms_key,
            protected=common.protected,
        ),
        options,
    )
    models = Bucket(
        "moderation-models",
        BucketArgs(logs=shared.logs, kms_key_arn=common.kms_key, protected=common.protected),
        options,
    )
    model = publish_model(NAME, settings.model, bucket=models)
    decisions = Table(
        "moderation-decisions",
        TableArgs(
            partition_key="decision_id",
            ttl="expires_at",
            # A day alone would be one hot partition: the service spreads it over shards.
            indexes={"by-day": TableIndex(partition_key="day_shard", sort_key="decided_at")},
            kms_key_arn=common.kms_key,
            protected=common.protected,
        ),
        options,
    )
    hash_key = HashKey(
        "moderation-hash",
        HashKeyArgs(protected=common.protected, deletion_days=KEY_DELETION_DAYS[common.protected]),
        options,
    )
    function = ContainerLambda(
        NAME,
        ContainerLambdaArgs(
            image=image,
            handler="services.moderation.app.handler",
            memory_mb=settings.memory,
            timeout_seconds=settings.timeout,
            reserved_concurrency=None if settings.reserved_concurrency < 0 else settings.reserved_concurrency,
            provisioned_concurrency=settings.provisioned_concurrency,
            uses={
                "MODELS_BUCKET": models.read(model.prefix),
                "DECISIONS_TABLE": decisions.write("dynamodb:BatchWriteItem"),
                "HASH_KEY_ID": hash_key.mac(),
            },
            environment={
                "MODEL_PREFIX": model.prefix,
                "DECISION_TTL_DAYS": str(settings.decision_ttl_days),
                "ENVIRONMENT": pulumi.get_stack(),
                "LOG_LEVEL": settings.log_level,
            },
            alarms=shared.alarms,
            log_retention_days=common.log_retention_days,
            kms_key_arn=common.kms_key,
            after=model.objects,
        ),
        options,
    )
    api = HttpApi(
        NAME,
        HttpApiArgs(
            routes={"ANY /{path+}": function},
            alarms=shared.alarms,
            throttle=Throttle(rate=settings.throttle_rate, burst=settings.throttle_burst),
            authorization=Authorization(settings.authorization),
            jwt_issuer=settings.jwt_issuer,
            jwt_audiences=settings.jwt_audiences,
            cors_origins=settings.cors_origins,
            domain=_domain(settings),
            log_retention_days=common.log_retention_days,
            kms_key_arn=common.kms_key,
        ),
        options,
    )
    _watch_the_service(shared)
    dashboards = _dashboards(function, api, decisions, shared)
    return Deployed(
        api.url,
        {
            "function": function.function_name,
            "version": function.version,
            "image": image.uri,
            "logGroup": function.log_group_name,
            "model": model.prefix,
            "decisionsTable": decisions.table_name,
            "dashboard": dashboards.health,
        },
    )


def _domain(settings: Moderation) -> CustomDomain | None:
    if not settings.domain or not settings.certificate:
        return None
    return CustomDomain(name=settings.domain, certificate_arn=settings.certificate, zone_id=settings.zone)


def _metrics() -> dict[str, pulumi.Input[str]]:
    """The dimensions under which the service counts what it does."""
    return {"service": NAME, "environment": pulumi.get_stack()}


def _watch_the_service(shared: Shared) -> None:
    """What only the service knows: its answers stay polite while these go wrong."""
    told = {
        "ModelUnavailable": "requests are refused because the model cannot be loaded or its checksum is wrong",
        "DecisionLogFailures": "decisions are answered but not logged; the audit has gaps",
    }
    for metric, meaning in told.items():
        alarm = Alarm(
            description=f"{NAME}: {meaning}",
            namespace="Quintet",
            metric=metric,
            dimensions=_metrics(),
            statistic="Sum",
            threshold=1,
            datapoints=1,
        )
        watch(f"{NAME}-{metric.lower()}", alarm, shared.alarms, shared.options)


def _dashboards(function: ContainerLambda, api: HttpApi, decisions: Table, shared: Shared) -> Dashboards:
    def own(title: str, metrics: dict[str, tuple[str, ...]]) -> Graph:
        return Graph(title=title, namespace="Quintet", dimensions=_metrics(), metrics=metrics)

    def of_api(title: str, metrics: dict[str, tuple[str, ...]]) -> Graph:
        return Graph(title=title, namespace="AWS/ApiGateway", dimensions=api.series(), metrics=metrics)

    def of_function(title: str, metrics: dict[str, tuple[str, ...]]) -> Graph:
        return Graph(title=title, namespace="AWS/Lambda", dimensions=function.series(), metrics=metrics)

    health = [
        of_api("Requests and refusals", {"Count": ("Sum",), "4xx": ("Sum",), "5xx": ("Sum",)}),
        of_api("Latency of answers", {"Latency": ("p50", "p99")}),
        own("Texts and verdicts", {"Requests": ("Sum",), "Flagged": ("Sum",)}),
        own("What went wrong", {"Errors": ("Sum",), "ModelUnavailable": ("Sum",), "DecisionLogFailures": ("Sum",)}),
        own("Latency in the service", {"Latency": ("p50", "p99")}),
        of_function("Calls that failed", {"Errors": ("Sum",), "Throttles": ("Sum",)}),
    ]
    resources = [
        of_function("Concurrency", {"ConcurrentExecutions": ("Maximum",)}),
        of_function("Duration of calls", {"Duration": ("p50", "p99")}),
        own("Cold starts", {"ColdStart": ("Sum",)}),
        Graph(
            title="Decision log",
            namespace="AWS/DynamoDB",
            dimensions={"TableName": decisions.table_name},
            metrics={"ConsumedWriteCapacityUnits": ("Sum",), "WriteThrottleEvents": ("Sum",)},
        ),
    ]
    args = DashboardsArgs(region=shared.settings.region, health=health, resources=resources)
    return Dashboards(NAME, args, shared.options)
