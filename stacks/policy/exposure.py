"""Nothing that is stored is public, and the internet comes in through declared edges only."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stacks.policy.declared import UNKNOWN, Declared, Finding, Rule, Stack, listed
from stacks.policy.documents import statements

BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read", "website")
_EDGES = "quintet:network:"
_ANYWHERE = ("0.0.0.0/0", "::/0")  # the networks that mean everybody


def _public(resource: Declared, stack: Stack) -> Iterator[Finding]:
    if resource.type in BUCKETS:
        yield from _unblocked(resource, stack)
    if resource.props.get("acl") in _PUBLIC_ACLS:
        yield Finding(f"has the ACL {resource.props['acl']}", "Leave `acl` out; give access by a policy")
    if resource.props.get("publiclyAccessible") is True:
        yield Finding("is publicly accessible", "Set `publiclyAccessible` to false and connect within the network")
    for statement in statements(resource):
        if statement.allows and statement.for_everybody:
            found = f"lets everybody do {', '.join(statement.actions)}"
            fix = "Name the principal, or add a condition on aws:SourceAccount, aws:SourceArn or aws:PrincipalOrgID"
            yield Finding(found, fix)


def _unblocked(bucket: Declared, stack: Stack) -> Iterator[Finding]:
    settings = stack.about(bucket, _BLOCK, "bucket", bucket.props.get("bucket"))
    open_ = [key for key in _BLOCKS if not any(setting.props.get(key) is True for setting in settings)]
    if open_:
        fix = "Declare a BucketPublicAccessBlock for it with all four set to true, as the component Bucket does"
        yield Finding(f"can be made public: {', '.join(open_)} not set", fix)


def _callable_by_anyone(resource: Declared, _: Stack) -> Iterator[Finding]:
    if resource.type != "aws:lambda/permission:Permission":
        return
    limits = [resource.props.get(key) for key in ("sourceArn", "sourceAccount", "principalOrgId")]
    principal = resource.props.get("principal")
    if isinstance(principal, str) and (principal == "*" or principal.endswith(".amazonaws.com")) and not any(limits):
        found = f"lets {principal} call the function on behalf of anybody's resources"
        yield Finding(found, "Name the caller in `sourceArn`, or at least the account in `sourceAccount`")


def _ingress(resource: Declared, stack: Stack) -> Iterator[Finding]:
    if resource.props.get("associatePublicIpAddress") is True:
        yield Finding("has a public address", "Put it into a private subnet, behind a component of quintet:network")
    find = _DOORS.get(resource.type)
    door = find(resource) if find else None
    if door and not any(component.startswith(_EDGES) for component in resource.within):
        fix = "Declare it within a component of quintet:network, as HttpApi, which throttles, logs and watches it"
        yield Finding(f"{door} outside a declared edge", fix)
    yield from _callable_by_anyone(resource, stack)


def _open_to_all(rule: Mapping[str, Any]) -> bool:
    keys = ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
    return any(network in _ANYWHERE for key in keys for network in listed(rule.get(key)))


def _group(resource: Declared) -> str | None:
    rules = [rule for rule in listed(resource.props.get("ingress")) if isinstance(rule, Mapping)]
    return "admits every address" if any(_open_to_all(rule) for rule in rules) else None


def _group_rule(resource: Declared) -> str | None:
    inward = resource.props.get("type", "ingress") == "ingress"
    return "admits every address" if inward and _open_to_all(resource.props) else None


def _balancer(resource: Declared) -> str | None:
    internal = resource.props.get("internal")
    return None if internal is True or internal is UNKNOWN else "faces the internet"


def _rest_api(resource: Declared) -> str | None:
    private = "PRIVATE" in listed(resource.get("endpointConfiguration.types"))
    return None if private else "answers on the internet"


def _always(_: Declared) -> str | None:
    return "answers on the internet"


def _service(service: Declared) -> str | None:
    kind = service.get("spec.type")
    return f"is of type {kind}, which opens it" if kind in {"LoadBalancer", "NodePort"} else None


def _cluster(cluster: Declared) -> str | None:
    networks = listed(cluster.get("vpcConfig.publicAccessCidrs"))
    open_ = cluster.get("vpcConfig.endpointPublicAccess")
    if open_ is False or open_ is UNKNOWN:
        return None
    return "has an API that everybody reaches" if not networks or set(networks) & set(_ANYWHERE) else None


_DOORS: Mapping[str, Callable[[Declared], str | None]] = {
    "aws:apigateway/restApi:RestApi": _rest_api,
    "aws:apigatewayv2/api:Api": _always,
    "aws:cloudfront/distribution:Distribution": _always,
    "aws:ec2/securityGroup:SecurityGroup": _group,
    "aws:ec2/securityGroupRule:SecurityGroupRule": _group_rule,
    "aws:eks/cluster:Cluster": _cluster,
    "kubernetes:core/v1:Service": _service,
    "kubernetes:networking.k8s.io/v1:Ingress": _always,
    "aws:lambda/functionUrl:FunctionUrl": _always,
    "aws:lb/loadBalancer:LoadBalancer": _balancer,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _group_rule,
}

PUBLIC = Rule(
    name="nothing-stored-is-public",
    why="What is stored is read by this account's roles alone.",
    check=_public,
    whole=True,
)
INGRESS = Rule(
    name="ingress-through-edges",
    why="The internet comes in where it is throttled, logged and watched, and nowhere else.",
    check=_ingress,
)
