"""The two roles of EKS Auto Mode, as its user guide lists them ("Create an EKS Auto Mode cluster")."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from stacks.components.uses import Statement, assume_role_document, policy_document

_CLUSTER = (
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
_NODES = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")


def cluster_role(
    name: str, key_arn: pulumi.Input[str], child: pulumi.ResourceOptions
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """What EKS itself may do: make nodes, disks and addresses, and use the key of the Secrets."""
    role = aws.iam.Role(
        f"{name}-role", assume_role_policy=assume_role_document("eks.amazonaws.com", tags=True), opts=child
    )
    secrets = Statement(
        actions=("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"),
        resources=(key_arn,),
        untried="EKS itself encrypts Secrets and the sandbox has no control plane",
    )
    policy = aws.iam.RolePolicy(f"{name}-role-policy", role=role.name, policy=policy_document([secrets]), opts=child)
    return role, [policy, *_attached(name, role, _CLUSTER, child)]


def node_role(name: str, child: pulumi.ResourceOptions) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """What a node may do: join, and pull images. What a pod may do is its own role's."""
    trust = assume_role_document("ec2.amazonaws.com")
    role = aws.iam.Role(f"{name}-node-role", assume_role_policy=trust, opts=child)
    return role, list(_attached(f"{name}-node", role, _NODES, child))


def _attached(
    name: str, role: aws.iam.Role, policies: Sequence[str], child: pulumi.ResourceOptions
) -> list[aws.iam.RolePolicyAttachment]:
    return [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy.lower()}", role=role.name, policy_arn=f"arn:aws:iam::aws:policy/{policy}", opts=child
        )
        for policy in policies
    ]
