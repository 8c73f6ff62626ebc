"""A cluster, who may do what in it, and the cache beside it."""

from collections.abc import Mapping
from typing import Any

from tests.stacks.cloudformation.shape import TAGS, Shape, pascal, renamed


def logging(given: list[str]) -> dict[str, Any]:
    return {"ClusterLogging": {"EnabledTypes": [{"Type": name} for name in given]}}


def limits(given: Mapping[str, Any]) -> dict[str, Any]:
    units = {"ECPUPerSecond": pascal(given["ecpuPerSeconds"][0])} if given.get("ecpuPerSeconds") else {}
    return {"DataStorage": pascal(given["dataStorage"])} | units


CLUSTER_SHAPES: Mapping[str, Shape] = {
    "aws:eks/addon:Addon": Shape(
        "AWS::EKS::Addon",
        values=TAGS,
        spread={
            "resolveConflictsOnCreate": lambda given: {"ResolveConflicts": given},
            "resolveConflictsOnUpdate": lambda given: {"ResolveConflicts": given},
        },
    ),
    "aws:eks/cluster:Cluster": Shape(
        "AWS::EKS::Cluster",
        names={
            "vpcConfig": "ResourcesVpcConfig",
            "enabledClusterLogTypes": "Logging",
            "encryptionConfig": "EncryptionConfig",
        },
        values=TAGS
        | {
            "encryptionConfig": lambda given: [pascal(given)],
            "enabledClusterLogTypes": logging,
            "kubernetesNetworkConfig": renamed(serviceIpv4Cidr="ServiceIpv4Cidr"),
        },
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Shape("AWS::EKS::PodIdentityAssociation", values=TAGS),
    "aws:elasticache/serverlessCache:ServerlessCache": Shape(
        "AWS::ElastiCache::ServerlessCache",
        names={"name": "ServerlessCacheName"},
        values=TAGS | {"cacheUsageLimits": limits},
    ),
    "aws:elasticache/user:User": Shape("AWS::ElastiCache::User", values=TAGS),
    "aws:elasticache/userGroup:UserGroup": Shape("AWS::ElastiCache::UserGroup", values=TAGS),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Shape(
        "AWS::IAM::Role",
        names={"policyArn": "ManagedPolicyArns"},
        values={"policyArn": lambda given: [given]},
        owner=("aws:iam/role:Role", {"role": "name"}),
    ),
}
