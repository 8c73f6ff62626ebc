"""Answers of the provider functions that a program may ask while it is only recorded."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quintet.sandbox.engine.cloud import Properties


@dataclass(frozen=True)
class Place:
    """Where the recorded program believes itself to be."""

    region: str
    account: str


def _caller_identity(place: Place, _arguments: Properties) -> Properties:
    arn = f"arn:aws:iam::{place.account}:user/recorder"
    return {"accountId": place.account, "arn": arn, "id": place.account, "userId": "AIDARECORDER00000000"}


def _region(place: Place, arguments: Properties) -> Properties:
    region = arguments.get("region") or arguments.get("name") or place.region
    endpoint = f"ec2.{region}.amazonaws.com"
    return {"region": region, "name": region, "id": region, "description": region, "endpoint": endpoint}


def _partition(_place: Place, _arguments: Properties) -> Properties:
    return {"partition": "aws", "id": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def _availability_zones(place: Place, _arguments: Properties) -> Properties:
    names = [f"{place.region}{letter}" for letter in "abc"]
    ids = [f"{place.region.replace('-', '')[:4]}-az{number}" for number in (1, 2, 3)]
    return {"id": place.region, "region": place.region, "names": names, "zoneIds": ids, "groupNames": [place.region]}


def _registry(place: Place) -> str:
    return f"{place.account}.dkr.ecr.{place.region}.amazonaws.com"


def _authorization_token(place: Place, _arguments: Properties) -> Properties:
    password = "recorded"  # noqa: S105  opens nothing
    return {
        "id": place.region,
        "region": place.region,
        "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
        "expiresAt": "2026-01-01T12:00:00Z",
        "password": password,
        "proxyEndpoint": f"https://{_registry(place)}",
        "userName": "AWS",
    }


def _image(place: Place, arguments: Properties) -> Properties:
    repository, tag = arguments.get("repositoryName", ""), arguments.get("imageTag", "latest")
    digest = arguments.get("imageDigest") or f"sha256:{hashlib.sha256(f'{repository}:{tag}'.encode()).hexdigest()}"
    return {
        **arguments,
        "id": digest,
        "imageDigest": digest,
        "imagePushedAt": 1_767_225_600,
        "imageSizeInBytes": 1,
        "imageTags": [tag],
        "imageUri": f"{_registry(place)}/{repository}@{digest}",
        "region": place.region,
        "registryId": place.account,
    }


def _images(place: Place, arguments: Properties) -> Properties:
    return {**arguments, "imageIds": [], "region": place.region, "registryId": place.account}


def _repositories(place: Place, _arguments: Properties) -> Properties:
    """None yet, as in an empty account: images are built."""
    return {"id": place.region, "names": [], "region": place.region}


def _repository(place: Place, arguments: Properties) -> Properties:
    name = arguments["name"]
    return {
        **arguments,
        "arn": f"arn:aws:ecr:{place.region}:{place.account}:repository/{name}",
        "id": name,
        "registryId": place.account,
        "repositoryUrl": f"{_registry(place)}/{name}",
        "region": place.region,
        "tags": {},
    }


def _hex(text: str) -> str:
    """Seventeen digits that belong to a text, as in ids of EC2."""
    return hashlib.sha256(text.encode()).hexdigest()[:17]


def _ec2(place: Place, noun: str, id_: str) -> Properties:
    arn = f"arn:aws:ec2:{place.region}:{place.account}:{noun}/{id_}"
    return {"arn": arn, "id": id_, "ownerId": place.account, "region": place.region, "state": "available", "tags": {}}


def _vpc(place: Place, arguments: Properties) -> Properties:
    id_ = arguments.get("id") or f"vpc-{_hex(str(arguments))}"
    return {**_ec2(place, "vpc", id_), "cidrBlock": "10.0.0.0/16", "default": False, "instanceTenancy": "default"}


def _subnet(place: Place, arguments: Properties) -> Properties:
    """Subnets of one network, each with addresses and a zone that follow from its id."""
    id_ = arguments.get("id") or f"subnet-{_hex(str(arguments))}"
    number = int(_hex(id_)[:2], 16)
    zone = f"{place.region}{'abc'[number % 3]}"
    where = {"availabilityZone": zone, "cidrBlock": f"10.0.{number}.0/24", "vpcId": f"vpc-{_hex('vpc')}"}
    return {**_ec2(place, "subnet", id_), **where}


def _subnets(place: Place, arguments: Properties) -> Properties:
    ids = [f"subnet-{_hex(f'{arguments}{number}')}" for number in (1, 2)]
    return {"id": place.region, "ids": sorted(ids), "region": place.region}


def _prefix_list(place: Place, arguments: Properties) -> Properties:
    name = arguments.get("name") or f"com.amazonaws.{place.region}.s3"
    id_ = arguments.get("prefixListId") or arguments.get("id") or f"pl-{_hex(name)}"
    return {"cidrBlocks": ["192.0.2.0/24"], "id": id_, "name": name, "region": place.region}


def _managed_prefix_list(place: Place, arguments: Properties) -> Properties:
    found = _prefix_list(place, arguments)
    named = {key: found[key] for key in ("id", "name", "region")}
    return {
        **named,
        "addressFamily": "IPv4",
        "arn": f"arn:aws:ec2:{place.region}:aws:prefix-list/{found['id']}",
        "entries": [{"cidr": block, "description": ""} for block in found["cidrBlocks"]],
        "maxEntries": 60,
        "ownerId": "AWS",
        "version": 1,
    }


FUNCTIONS: Mapping[str, Callable[[Place, Properties], Properties]] = {
    "aws:ec2/getManagedPrefixList:getManagedPrefixList": _managed_prefix_list,
    "aws:ec2/getPrefixList:getPrefixList": _prefix_list,
    "aws:ec2/getSubnet:getSubnet": _subnet,
    "aws:ec2/getSubnets:getSubnets": _subnets,
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _authorization_token,
    "aws:ecr/getImage:getImage": _image,
    "aws:ecr/getImages:getImages": _images,
    "aws:ecr/getRepositories:getRepositories": _repositories,
    "aws:ecr/getRepository:getRepository": _repository,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
}
