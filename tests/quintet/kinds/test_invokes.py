"""What a program asks AWS before it declares."""

import inspect
import json
from typing import Any

import pulumi_aws as aws
import pytest

from quintet.sandbox.engine.errors import SandboxError, SandboxUnsupported
from quintet.sandbox.kinds.base import INVOKES
from quintet.sandbox.kinds.cloud import load_kinds
from quintet.sandbox.world import World
from tests.quintet.kinds.deploying import Deployer
from tests.quintet.kinds.network_lives import subnet, vpc

load_kinds()

RESULTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": (aws.GetCallerIdentityResult, {}),
    "aws:index/getRegion:getRegion": (aws.GetRegionResult, {}),
    "aws:index/getPartition:getPartition": (aws.GetPartitionResult, {}),
    "aws:index/getAvailabilityZones:getAvailabilityZones": (aws.GetAvailabilityZonesResult, {}),
    "aws:ec2/getVpc:getVpc": (aws.ec2.GetVpcResult, {"tags": {"asked": "yes"}}),
    "aws:ec2/getSubnet:getSubnet": (aws.ec2.GetSubnetResult, {"filters": [{"name": "tag:asked", "values": ["yes"]}]}),
    "aws:ec2/getSubnets:getSubnets": (aws.ec2.GetSubnetsResult, {"tags": {"asked": "yes"}}),
    "aws:ec2/getPrefixList:getPrefixList": (aws.ec2.GetPrefixListResult, {"name": "com.amazonaws.us-east-1.s3"}),
    "aws:ec2/getManagedPrefixList:getManagedPrefixList": (
        aws.ec2.GetManagedPrefixListResult,
        {"name": "com.amazonaws.global.cloudfront.origin-facing"},
    ),
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": (aws.ecr.GetAuthorizationTokenResult, {}),
    "aws:ecr/getRepositories:getRepositories": (aws.ecr.GetRepositoriesResult, {}),
    "aws:ecr/getRepository:getRepository": (aws.ecr.GetRepositoryResult, {"name": "asked"}),
    "aws:ecr/getImages:getImages": (aws.ecr.GetImagesResult, {"repositoryName": "asked"}),
    "aws:ecr/getImage:getImage": (aws.ecr.GetImageResult, {"repositoryName": "asked", "imageTag": "v1"}),
    "aws:iam/getPolicyDocument:getPolicyDocument": (aws.iam.GetPolicyDocumentResult, {"statements": []}),
}


@pytest.fixture
def asked(deploy: Deployer) -> Deployer:
    if "asked" not in deploy.cloud.invoke("aws:ecr/getRepositories:getRepositories", {})["names"]:
        deploy.make("aws:ecr/repository:Repository", name="asked", forceDelete=True)
    if not deploy.cloud.invoke("aws:ec2/getSubnets:getSubnets", {"tags": {"asked": "yes"}})["ids"]:
        subnet(deploy, vpc(deploy, tags={"asked": "yes"}), tags={"asked": "yes"})
    deploy.image("asked-image", tags=["123456789012.dkr.ecr.us-east-1.amazonaws.com/asked:v1"])
    return deploy


def test_every_invoke_is_tried_here() -> None:
    assert RESULTS.keys() == {token for token in INVOKES if token.startswith("aws:")}


@pytest.mark.parametrize("token", sorted(RESULTS))
def test_a_result_has_the_properties_of_the_sdk(asked: Deployer, token: str) -> None:
    result, arguments = RESULTS[token]
    names = {
        getattr(member.fget, "_pulumi_name", name)
        for name, member in inspect.getmembers(result, lambda member: isinstance(member, property))
    }

    assert asked.cloud.invoke(token, arguments).keys() <= names


def test_the_account_and_its_region_are_those_of_the_sandbox(deploy: Deployer) -> None:
    assert deploy.cloud.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"] == "123456789012"
    assert deploy.cloud.invoke("aws:index/getRegion:getRegion", {})["region"] == "us-east-1"


def test_an_image_is_found_by_its_tag(asked: Deployer) -> None:
    arguments = {"repositoryName": "asked"}

    found = asked.cloud.invoke("aws:ecr/getImage:getImage", {**arguments, "imageTag": "v1"})
    every = asked.cloud.invoke("aws:ecr/getImages:getImages", arguments)["imageIds"]

    assert {"imageDigest": found["imageDigest"], "imageTag": "v1"} in every


def test_an_image_that_is_not_there_is_named(asked: Deployer) -> None:
    with pytest.raises(SandboxError, match="the repository asked has no image v2"):
        asked.cloud.invoke("aws:ecr/getImage:getImage", {"repositoryName": "asked", "imageTag": "v2"})


def test_a_first_preview_asks_an_empty_account(world: World) -> None:
    empty = Deployer(World(world.root, world.home)).cloud

    assert empty.invoke("aws:ecr/getRepositories:getRepositories", {})["names"] == []
    assert empty.invoke("aws:ecr/getImages:getImages", {"repositoryName": "a"})["imageIds"] == []
    assert empty.invoke("aws:ecr/getAuthorizationToken:getAuthorizationToken", {})["userName"] == "AWS"
    with pytest.raises(SandboxError, match="has no image"):
        empty.invoke("aws:ecr/getImage:getImage", {"repositoryName": "a", "imageTag": "b"})


def test_a_network_is_found_and_one_that_is_not_there_is_refused(asked: Deployer) -> None:
    found = asked.cloud.invoke("aws:ec2/getVpc:getVpc", {"tags": {"asked": "yes"}})
    inside = asked.cloud.invoke(
        "aws:ec2/getSubnets:getSubnets", {"filters": [{"name": "vpc-id", "values": [found["id"]]}]}
    )["ids"]
    one = asked.cloud.invoke("aws:ec2/getSubnet:getSubnet", {"id": inside[0]})

    assert (found["cidrBlock"], one["cidrBlock"], one["vpcId"]) == ("10.40.0.0/16", "10.40.0.0/24", found["id"])
    with pytest.raises(SandboxError, match="0 subnets are as wanted"):
        asked.cloud.invoke("aws:ec2/getSubnet:getSubnet", {"id": "subnet-0123456789abcdef0"})
    with pytest.raises(SandboxError, match="0 prefix lists are as wanted"):
        asked.cloud.invoke("aws:ec2/getPrefixList:getPrefixList", {"name": "com.amazonaws.us-east-1.nothing"})


def test_zones_are_known_before_anything_runs_and_are_the_same_then(deploy: Deployer) -> None:
    token = "aws:index/getAvailabilityZones:getAvailabilityZones"
    empty = Deployer(World(deploy.world.root, deploy.world.home)).cloud

    assert empty.invoke(token, {}) == deploy.cloud.invoke(token, {})


def test_a_policy_is_composed_as_aws_writes_it(deploy: Deployer) -> None:
    statement = {
        "sid": "A",
        "actions": ["s3:GetObject", "s3:PutObject"],
        "resources": ["*"],
        "principals": [{"type": "Service", "identifiers": ["lambda.amazonaws.com"]}],
        "conditions": [{"test": "Bool", "variable": "aws:SecureTransport", "values": ["true"]}],
    }
    anyone = {"effect": "Deny", "notActions": ["s3:*"], "principals": [{"type": "*", "identifiers": ["*"]}]}

    made = deploy.cloud.invoke(
        "aws:iam/getPolicyDocument:getPolicyDocument", {"statements": [statement, anyone], "policyId": "i"}
    )

    assert json.loads(made["json"]) == json.loads(made["minifiedJson"]) == {
        "Version": "2012-10-17",
        "Id": "i",
        "Statement": [
            {
                "Sid": "A",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": "*",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Condition": {"Bool": {"aws:SecureTransport": "true"}},
            },
            {"Effect": "Deny", "NotAction": "s3:*", "Principal": "*"},
        ],
    }  # fmt: skip


def test_a_policy_that_is_merged_from_others_is_refused_by_name(deploy: Deployer) -> None:
    with pytest.raises(SandboxUnsupported, match=r"`sourcePolicyDocuments` of aws\.iam.get_policy_document"):
        deploy.cloud.invoke("aws:iam/getPolicyDocument:getPolicyDocument", {"sourcePolicyDocuments": ["{}"]})
