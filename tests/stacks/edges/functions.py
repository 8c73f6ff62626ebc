"""Function -> role that Lambda may take -> log group, traces, dead letters; function -> repository of its image."""

from collections.abc import Iterator

from quintet.sandbox.engine.state import Resource
from tests.stacks.edges.graph import Caller, Graph, name, trusts, unmet

FUNCTION = "aws:lambda/function:Function"
LAMBDA = "lambda.amazonaws.com"
_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_SEND = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}


def taken_by_lambda(graph: Graph) -> Iterator[str]:
    for function in graph.of(FUNCTION):
        role = graph.role(function.outputs["role"])
        if role is None:
            yield f"{name(function)}: its role {function.outputs['role']} is not declared. Declare aws.iam.Role for it"
        elif not trusts(role, Caller(LAMBDA)):
            yield (
                f"{name(function)}: {name(role)} does not trust {LAMBDA}, so the function cannot be made. "
                "Let its assume_role_policy allow sts:AssumeRole to it"
            )


def write_their_logs(graph: Graph) -> Iterator[str]:
    for function, role in _with_roles(graph):
        config = function.outputs.get("loggingConfig") or {}
        wanted = config.get("logGroup") or f"/aws/lambda/{function.outputs['name']}"
        group = graph.first("aws:cloudwatch/logGroup:LogGroup", "name", wanted)
        if group is None:
            yield (
                f"{name(function)}: nobody declares its log group {wanted}, which its role cannot make. "
                "Declare aws.cloudwatch.LogGroup with that name"
            )
            continue
        stream = f"{group.outputs['arn']}:log-stream:any"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if not graph.role_may(role, action, stream):
                yield (
                    f"{name(function)}: {name(role)} may not {action} in {wanted}, so its lines are lost. "
                    f"Allow it on {group.outputs['arn']}:*"
                )


def send_their_traces(graph: Graph) -> Iterator[str]:
    for function, role in _with_roles(graph):
        if (function.outputs.get("tracingConfig") or {}).get("mode") != "Active":
            continue
        for action in ("xray:PutTraceSegments", "xray:PutTelemetryRecords"):
            if not graph.role_may(role, action, "*"):
                yield f"{name(function)}: it is traced, and {name(role)} may not {action}. Allow it on *"


def keep_what_failed(graph: Graph) -> Iterator[str]:
    for function, role in _with_roles(graph):
        target = (function.outputs.get("deadLetterConfig") or {}).get("targetArn")
        if not target:
            continue
        action = _SEND[target.split(":")[2]]
        if not graph.role_may(role, action, target):
            yield f"{name(function)}: {name(role)} may not {action} to its dead-letter target. Allow it on {target}"
        if not _declared(graph, target):
            yield f"{name(function)}: its dead-letter target {target} is not declared. Declare the queue or topic"


def pull_their_image(graph: Graph) -> Iterator[str]:
    built = Graph(graph.images_of, graph.images_of)
    for function in graph.of(FUNCTION):
        uri = function.outputs.get("imageUri")
        if not uri:
            continue
        repository_name = uri.partition("/")[2].partition("@")[0].partition(":")[0]
        repository = built.first("aws:ecr/repository:Repository", "name", repository_name)
        if repository is None:
            yield (
                f"{name(function)}: no stack declares the repository {repository_name} of its image. Deploy the stack "
                "that builds it, and name that one in `imagesFrom`"
            )
            continue
        policy = built.policies("aws:ecr/repositoryPolicy:RepositoryPolicy", "repository", repository_name)
        where = f"{name(function)}: the policy of {name(repository)}"
        yield from unmet(policy, Caller(LAMBDA, function.outputs["arn"]), _PULL, repository.outputs["arn"], where=where)


def _with_roles(graph: Graph) -> Iterator[tuple[Resource, Resource]]:
    """Functions whose role is declared; that it is not is told once, elsewhere."""
    for function in graph.of(FUNCTION):
        if role := graph.role(function.outputs["role"]):
            yield function, role


def _declared(graph: Graph, arn: str) -> bool:
    return any(graph.first(type_, "arn", arn) for type_ in ("aws:sqs/queue:Queue", "aws:sns/topic:Topic"))
