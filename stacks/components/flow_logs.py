"""Who was refused a connection within a network, kept for a known time."""

import pulumi
import pulumi_aws as aws

from stacks.components.names import log_group_name
from stacks.components.uses import Statement, assume_role_document, policy_document


def flow_logs(
    name: str, vpc: aws.ec2.Vpc, retention_days: int, kms_key_arn: str | None, child: pulumi.ResourceOptions
) -> aws.ec2.FlowLog:
    """Log what was rejected: accepted traffic would cost more than the network."""
    group = aws.cloudwatch.LogGroup(
        f"{name}-flow-logs",
        name=log_group_name("/aws/vpc", name),
        retention_in_days=retention_days,
        kms_key_id=kms_key_arn,
        opts=child,
    )
    role = aws.iam.Role(
        f"{name}-flow-role", assume_role_policy=assume_role_document("vpc-flow-logs.amazonaws.com"), opts=child
    )
    streams = Statement(
        actions=("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
        resources=(pulumi.Output.concat(group.arn, ":*"),),
        reason="The network interfaces name the log streams",
        untried="VPC itself writes flow logs and the sandbox has no packets",
    )
    policy = aws.iam.RolePolicy(f"{name}-flow-policy", role=role.name, policy=policy_document([streams]), opts=child)
    return aws.ec2.FlowLog(
        f"{name}-flow",
        vpc_id=vpc.id,
        traffic_type="REJECT",
        log_destination_type="cloud-watch-logs",
        log_destination=group.arn,
        iam_role_arn=role.arn,
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[policy])),
    )
