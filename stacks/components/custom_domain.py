"""An HTTP API under an address of one's own."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.components.arguments import matching, refuse


@dataclass(frozen=True, kw_only=True)
class CustomDomain:
    """An address and what proves that it is one's own.

    Attributes:
        name: As `moderation.example.com`.
        certificate_arn: Of an issued certificate for it, in the API's region.
        zone_id: The Route 53 zone that gets the record; absent: whoever runs the DNS adds it.
    """

    name: str
    certificate_arn: str
    zone_id: str | None = None

    def __post_init__(self) -> None:
        refuse(
            "CustomDomain",
            matching("name", self.name, r"([a-z0-9-]+\.)+[a-z]{2,}", "a host name such as api.example.com"),
            matching("certificate_arn", self.certificate_arn, r"arn:aws:acm:[^:]+:\d{12}:certificate/.+", "an ACM ARN"),
            matching("zone_id", self.zone_id, r"Z[A-Z0-9]+", "the id of a Route 53 zone, as Z0123456789"),
        )


def attach_domain(
    name: str,
    domain: CustomDomain,
    api: aws.apigatewayv2.Api,
    stage: aws.apigatewayv2.Stage,
    child: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """Serve an API under its own address; returns the URL, known once the address leads to the API."""
    host = aws.apigatewayv2.DomainName(
        f"{name}-domain",
        domain_name=domain.name,
        domain_name_configuration={
            "certificate_arn": domain.certificate_arn,
            "endpoint_type": "REGIONAL",
            "security_policy": "TLS_1_2",
        },
        opts=child,
    )
    mapping = aws.apigatewayv2.ApiMapping(
        f"{name}-mapping", api_id=api.id, domain_name=host.domain_name, stage=stage.name, opts=child
    )
    if domain.zone_id:
        target = host.domain_name_configuration
        aws.route53.Record(
            f"{name}-record",
            zone_id=domain.zone_id,
            name=domain.name,
            type="A",
            aliases=[
                {
                    "name": target.target_domain_name,
                    "zone_id": target.hosted_zone_id,
                    "evaluate_target_health": False,
                }
            ],
            opts=child,
        )
    return mapping.domain_name.apply(lambda host_name: f"https://{host_name}")
