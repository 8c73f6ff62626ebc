"""Encrypted where it travels: TLS 1.2 or newer, and one written exemption where AWS leaves no choice."""

import json
from collections.abc import Callable, Iterator, Mapping

from stacks.policy.declared import UNKNOWN, Declared, Finding, Rule, Stack, listed
from stacks.policy.documents import statements
from stacks.policy.exposure import BUCKETS

_BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
_NAME = "tls"


def _in_transit(resource: Declared, stack: Stack) -> Iterator[Finding]:
    check = _LINKS.get(resource.type)
    if check:
        yield from check(resource, stack)


def _bucket_in_transit(bucket: Declared, stack: Stack) -> Iterator[Finding]:
    policies = stack.about(bucket, _BUCKET_POLICY, "bucket", bucket.props.get("bucket"))
    if any(policy.props.get("policy") is UNKNOWN or _refuses_plain_http(policy) for policy in policies):
        return
    yield Finding("answers without TLS", "Deny s3:* in its policy where aws:SecureTransport is false (Bucket does)")


def _refuses_plain_http(policy: Declared) -> bool:
    return any(
        statement.text.get("Effect") == "Deny"
        and statement.text.get("Principal") in ("*", {"AWS": "*"})
        and "s3:*" in statement.actions
        and '"aws:securetransport": "false"' in json.dumps(statement.text.get("Condition")).lower()
        for statement in statements(policy)
    )


def _domain(domain: Declared, _: Stack) -> Iterator[Finding]:
    policy = domain.get("domainNameConfiguration.securityPolicy") or domain.props.get("securityPolicy")
    if policy is not UNKNOWN and not _modern(str(policy)):
        yield Finding(f"takes {policy or 'any version of TLS'}", "Set `securityPolicy` to TLS_1_2")


def _modern(policy: str) -> bool:
    """Whether a policy of API Gateway, CloudFront or a load balancer has TLS 1.2 as its minimum."""
    words = policy.upper().replace(".", "_").replace("-", "_")
    return any(version in words for version in ("TLS_1_2", "TLSV1_2", "TLS13_1_2", "TLS_1_3", "TLS13_1_3", "TLSV1_3"))


def _distribution(distribution: Declared, _: Stack) -> Iterator[Finding]:
    behaviours = [distribution.get("defaultCacheBehavior"), *listed(distribution.props.get("orderedCacheBehaviors"))]
    protocols = [item.get("viewerProtocolPolicy") for item in behaviours if isinstance(item, Mapping)]
    https_only = all(protocol in {"https-only", UNKNOWN} for protocol in protocols)
    if not distribution.get("viewerCertificate.cloudfrontDefaultCertificate"):
        version = distribution.get("viewerCertificate.minimumProtocolVersion")
        if version is not UNKNOWN and not _modern(str(version)):
            yield Finding(f"takes {version or 'TLSv1'}", "Set `minimumProtocolVersion` to TLSv1.2_2021")
        if not https_only and not all(item in {"https-only", "redirect-to-https", UNKNOWN} for item in protocols):
            yield Finding("answers without TLS", "Set every `viewerProtocolPolicy` to redirect-to-https")
        return
    # An address of *.cloudfront.net has TLSv1 as its minimum, whatever is asked for.
    if not distribution.exemption(_NAME):
        fix = "Set a domain and its certificate, or write why there is none into its tag `exempt/tls`"
        yield Finding("has CloudFront's own certificate, which takes TLSv1", fix)
    if not https_only:
        yield Finding("answers without TLS at an address that takes TLSv1", "Set `viewerProtocolPolicy` to https-only")


def _listener(listener: Declared, _: Stack) -> Iterator[Finding]:
    if listener.props.get("protocol") == "HTTP":
        redirects = "redirect" in [action.get("type") for action in listed(listener.props.get("defaultActions"))]
        if not redirects and not listener.exemption(_NAME):
            fix = "Redirect to HTTPS, or write into its tag `exempt/tls` what encrypts the way to it"
            yield Finding("forwards plain HTTP", fix)
    elif listener.props.get("protocol") in {"HTTPS", "TLS"}:
        policy = listener.props.get("sslPolicy")
        if policy is not UNKNOWN and not _modern(str(policy)):
            fix = "Set `sslPolicy` to ELBSecurityPolicy-TLS13-1-2-2021-06"
            yield Finding(f"takes {policy or 'the old default of load balancers'}", fix)


def _subscription(subscription: Declared, _: Stack) -> Iterator[Finding]:
    if subscription.props.get("protocol") == "http":
        yield Finding("sends messages in plain text", "Subscribe an https address")


_LINKS: Mapping[str, Callable[[Declared, Stack], Iterator[Finding]]] = {
    **dict.fromkeys(BUCKETS, _bucket_in_transit),
    "aws:apigateway/domainName:DomainName": _domain,
    "aws:apigatewayv2/domainName:DomainName": _domain,
    "aws:cloudfront/distribution:Distribution": _distribution,
    "aws:lb/listener:Listener": _listener,
    "aws:sns/topicSubscription:TopicSubscription": _subscription,
}

RULE = Rule(
    name=_NAME,
    why="Nobody on the way reads or changes what is sent: TLS 1.2 or newer everywhere.",
    check=_in_transit,
    whole=True,
)
