"""A Lambda function from a container image, with a role of its own, its log group, a version and an alias to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from stacks.components.alarm_topic import AlarmTopic
from stacks.components.alarms import Alarm, watch
from stacks.components.arguments import checked_name, matching, one_of, refuse, within
from stacks.components.image import ServiceImage
from stacks.components.names import log_group_name
from stacks.components.uses import Statement, Use, assume_role_document, policy_document

ALIAS = "live"
# The retention periods that CloudWatch Logs takes, in days.
RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
_DEAD_LETTER_DAYS = 14
_NEAR_TIMEOUT_PERCENT = 80


@dataclass(frozen=True, kw_only=True)
class ContainerLambdaArgs:
    """What a function needs.

    Attributes:
        image: What runs; also says for which architecture.
        handler: `package.module.function` in the image.
        alarms: Who is told when it fails.
        uses: By the variable that carries the identifier: what the code uses, which is all that its role allows.
        environment: Further variables.
        memory_mb: 128 to 10240; a vCPU comes with each 1769. New accounts may stop at 3008.
        timeout_seconds: 1 to 900. Behind an HTTP API keep it below 30, where the caller is gone.
        scratch_mb: The size of /tmp, 512 to 10240.
        log_retention_days: One of those that CloudWatch Logs takes.
        reserved_concurrency: At most so many at a time; absent: the account's quota, which can be as low as 10.
        provisioned_concurrency: So many kept warm on the alias, paid by the hour.
        asynchronous: It is called by events: what fails twice goes to a dead-letter queue with an alarm.
        kms_key_arn: A key of the owner's for the log group; its policy must admit CloudWatch Logs.
        after: What must exist before it first runs, beyond what it uses.
    """

    image: ServiceImage
    handler: str
    alarms: AlarmTopic
    uses: Mapping[str, Use] = field(default_factory=dict)
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    memory_mb: int = 1769
    timeout_seconds: int = 29
    scratch_mb: int = 512
    log_retention_days: int = 30
    reserved_concurrency: int | None = None
    provisioned_concurrency: int = 0
    asynchronous: bool = False
    kms_key_arn: str | None = None
    after: Sequence[pulumi.Resource] = ()

    def __post_init__(self) -> None:
        twice = sorted(self.uses.keys() & self.environment.keys())
        limit = self.reserved_concurrency if self.reserved_concurrency is not None else self.provisioned_concurrency
        refuse(
            "ContainerLambdaArgs",
            matching("handler", self.handler, r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", "package.module.function"),
            within("memory_mb", self.memory_mb, 128, 10_240, "MB"),
            within("timeout_seconds", self.timeout_seconds, 1, 900, "seconds"),
            within("scratch_mb", self.scratch_mb, 512, 10_240, "MB"),
            one_of("log_retention_days", self.log_retention_days, RETENTION_DAYS),
            within("reserved_concurrency", self.reserved_concurrency, 0, 10_000),
            within("provisioned_concurrency", self.provisioned_concurrency, 0, limit, "(what is reserved)"),
            [f"{name} is both in uses and in environment" for name in twice],
            [f"the variable {name} is Lambda's own" for name in self.variables if name.startswith(("AWS_", "LAMBDA_"))],
            *[
                matching("a variable", name, r"[A-Z][A-Z0-9_]*", "capitals, digits and underscores")
                for name in self.variables
            ],
        )

    @property
    def variables(self) -> dict[str, pulumi.Input[str]]:
        """Everything that the code finds in its environment."""
        return {name: use.identifier for name, use in self.uses.items()} | dict(self.environment)


class ContainerLambda(pulumi.ComponentResource):
    """A function, called through the alias `live`.

    Attributes:
        function_name: The physical name.
        alias_name: The qualifier that callers name.
        alias_arn: For a role that may invoke it.
        invoke_arn: Of the alias, for an API's integration.
        version: The version that the alias points to.
        log_group_name: Where its logs are.
        timeout_seconds: As given.
    """

    function_name: pulumi.Output[str]
    alias_name: pulumi.Output[str]
    alias_arn: pulumi.Output[str]
    invoke_arn: pulumi.Output[str]
    version: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    timeout_seconds: int

    def __init__(self, name: str, args: ContainerLambdaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:compute:ContainerLambda", checked_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        dead_letters = _dead_letters(name, args, child) if args.asynchronous else None
        logs = _log_group(name, args, child)
        role, policy = _role(name, args, logs, dead_letters, child)
        function = _function(name, args, role, logs, dead_letters, after=[policy, *args.after], parent=self)
        alias = aws.lambda_.Alias(
            f"{name}-alias", name=ALIAS, function_name=function.name, function_version=function.version, opts=child
        )
        if args.provisioned_concurrency:
            aws.lambda_.ProvisionedConcurrencyConfig(
                f"{name}-provisioned",
                function_name=function.name,
                qualifier=alias.name,
                provisioned_concurrent_executions=args.provisioned_concurrency,
                opts=child,
            )
        self.function_name, self.version, self.log_group_name = function.name, function.version, logs.name
        self.alias_name, self.alias_arn, self.invoke_arn = alias.name, alias.arn, alias.invoke_arn
        self.timeout_seconds = args.timeout_seconds
        self._alarms(name, args, child)
        self.register_outputs({"functionName": self.function_name, "aliasArn": self.alias_arn, "version": self.version})

    def invoke(self) -> Use:
        """Call it; the identifier is the alias's ARN."""
        return Use(self.alias_arn, (Statement(actions=("lambda:InvokeFunction",), resources=(self.alias_arn,)),))

    def series(self) -> dict[str, pulumi.Input[str]]:
        """The dimensions of the alias's metrics."""
        return {
            "FunctionName": self.function_name,
            "Resource": pulumi.Output.concat(self.function_name, ":", self.alias_name),
        }

    def _alarms(self, name: str, args: ContainerLambdaArgs, child: pulumi.ResourceOptions) -> None:
        def alarm(
            suffix: str, metric: str, statistic: Literal["Sum", "p99"], threshold: float, description: str
        ) -> None:
            watch(
                f"{name}-{suffix}",
                Alarm(
                    description=f"{name}: {description}",
                    namespace="AWS/Lambda",
                    metric=metric,
                    dimensions=self.series(),
                    statistic=statistic,
                    threshold=threshold,
                ),
                args.alarms,
                child,
            )

        near = args.timeout_seconds * 1000 * _NEAR_TIMEOUT_PERCENT // 100
        alarm("errors", "Errors", "Sum", 1, "calls end in an error; read the function's log")
        alarm("throttles", "Throttles", "Sum", 1, "calls are refused; raise the concurrency or ask for quota")
        alarm("duration", "Duration", "p99", near, f"one call in a hundred takes {near} ms or more, near its timeout")


def _dead_letters(name: str, args: ContainerLambdaArgs, child: pulumi.ResourceOptions) -> aws.sqs.Queue:
    queue = aws.sqs.Queue(
        f"{name}-dead-letters",
        message_retention_seconds=_DEAD_LETTER_DAYS * 86_400,
        sqs_managed_sse_enabled=True,
        opts=child,
    )
    waiting = Alarm(
        description=f"{name}: events failed for good and wait in the dead-letter queue for {_DEAD_LETTER_DAYS} days",
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": queue.name},
        statistic="Maximum",
        threshold=1,
        datapoints=1,
        periods=1,
        period_seconds=300,
    )
    watch(f"{name}-dead-letters-waiting", waiting, args.alarms, child)
    return queue


def _log_group(name: str, args: ContainerLambdaArgs, child: pulumi.ResourceOptions) -> aws.cloudwatch.LogGroup:
    return aws.cloudwatch.LogGroup(
        f"{name}-logs",
        name=log_group_name("/aws/lambda", name),
        retention_in_days=args.log_retention_days,
        kms_key_id=args.kms_key_arn,
        opts=child,
    )


def _role(
    name: str,
    args: ContainerLambdaArgs,
    logs: aws.cloudwatch.LogGroup,
    dead_letters: aws.sqs.Queue | None,
    child: pulumi.ResourceOptions,
) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    """A role of exactly what the function uses. It cannot make log groups: one that it made would never expire."""
    statements = [statement for use in args.uses.values() for statement in use.statements]
    statements += [
        Statement(
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            # Both calls are checked against streams, `log-group:NAME:log-stream:...`; the group's bare ARN allows none.
            resources=(pulumi.Output.concat(logs.arn, ":*"),),
            reason="Lambda names the log streams of its own log group",
        ),
        Statement(
            actions=("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
            resources=("*",),
            reason="X-Ray has no resources to name",
            untried="Lambda itself sends the traces and the sandbox has no X-Ray",
        ),
    ]
    if dead_letters:
        statements.append(Statement(actions=("sqs:SendMessage",), resources=(dead_letters.arn,)))
    role = aws.iam.Role(f"{name}-role", assume_role_policy=assume_role_document("lambda.amazonaws.com"), opts=child)
    policy = aws.iam.RolePolicy(f"{name}-role-policy", role=role.name, policy=policy_document(statements), opts=child)
    return role, policy


def _function(
    name: str,
    args: ContainerLambdaArgs,
    role: aws.iam.Role,
    logs: aws.cloudwatch.LogGroup,
    dead_letters: aws.sqs.Queue | None,
    *,
    after: Sequence[pulumi.Resource],
    parent: pulumi.Resource,
) -> aws.lambda_.Function:
    return aws.lambda_.Function(
        f"{name}-function",
        package_type="Image",
        image_uri=args.image.uri,
        image_config={"commands": [args.handler]},
        architectures=[args.image.architecture],
        role=role.arn,
        memory_size=args.memory_mb,
        timeout=args.timeout_seconds,
        ephemeral_storage={"size": args.scratch_mb},
        environment={"variables": args.variables},
        logging_config={"log_format": "JSON", "log_group": logs.name},
        tracing_config={"mode": "Active"},
        reserved_concurrent_executions=args.reserved_concurrency,
        dead_letter_config={"target_arn": dead_letters.arn} if dead_letters else None,
        publish=True,
        # Without its policy the first call of a new role fails.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[*after, *args.image.ready]),
    )
