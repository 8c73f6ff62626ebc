"""Provider functions: what a program asks AWS before it declares."""

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from quintet.sandbox.engine.errors import SandboxUnsupported
from quintet.sandbox.kinds.base import Properties, invoke
from quintet.sandbox.kinds.calls import RefusedError, present
from quintet.sandbox.kinds.ecr import registry

if TYPE_CHECKING:
    from quintet.sandbox.world import World


@invoke("aws:index/getCallerIdentity:getCallerIdentity")
def get_caller_identity(world: "World", arguments: Properties) -> Properties:  # noqa: ARG001  an invoke's signature
    """Who deploys: the account's root."""
    account = world.account
    return {"accountId": account, "arn": f"arn:aws:iam::{account}:root", "userId": account, "id": account}


@invoke("aws:index/getRegion:getRegion")
def get_region(world: "World", arguments: Properties) -> Properties:  # noqa: ARG001  an invoke's signature
    """The one region."""
    name = world.region
    endpoint = f"ec2.{name}.amazonaws.com"
    return {"name": name, "region": name, "id": name, "description": name, "endpoint": endpoint}


@invoke("aws:index/getPartition:getPartition")
def get_partition(world: "World", arguments: Properties) -> Properties:  # noqa: ARG001  an invoke's signature
    """AWS itself, not its partitions for China and governments."""
    return {"partition": "aws", "id": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


@invoke("aws:ecr/getAuthorizationToken:getAuthorizationToken")
def get_authorization_token(world: "World", arguments: Properties) -> Properties:  # noqa: ARG001  an invoke's signature
    """What Docker would sign in to ECR with; a preview without an emulator has one that opens nothing."""
    token = base64.b64encode(b"AWS:preview").decode()
    expires = datetime.now(UTC).isoformat()
    if world.url:
        data = world.client("ecr").get_authorization_token()["authorizationData"][0]
        token, expires = data["authorizationToken"], data["expiresAt"].isoformat()
    user, _, password = base64.b64decode(token).decode().partition(":")
    return {
        "authorizationToken": token,
        "expiresAt": expires,
        "id": world.region,
        "password": password,
        "proxyEndpoint": f"https://{registry(world)}",
        "region": world.region,
        "registryId": world.account,
        "userName": user,
    }


@invoke("aws:ecr/getRepositories:getRepositories")
def get_repositories(world: "World", arguments: Properties) -> Properties:  # noqa: ARG001  an invoke's signature
    """The names of all repositories; none where nothing runs yet, as in an empty account."""
    pages = world.client("ecr").get_paginator("describe_repositories").paginate() if world.url else []
    names = [repository["repositoryName"] for page in pages for repository in page["repositories"]]
    return {"id": world.region, "names": names, "region": world.region}


@invoke("aws:ecr/getRepository:getRepository")
def get_repository(world: "World", arguments: Properties) -> Properties:
    """One repository with its tags; a preview without an emulator knows none."""
    name = arguments["name"]
    arn = f"arn:aws:ecr:{world.region}:{world.account}:repository/{name}"
    tags = world.client("ecr").list_tags_for_resource(resourceArn=arn)["tags"] if world.url else []
    return {
        "arn": arn,
        "encryptionConfigurations": [],
        "id": name,
        "imageScanningConfigurations": [],
        "imageTagMutability": "",
        "imageTagMutabilityExclusionFilters": [],
        "mostRecentImageTags": [],
        "name": name,
        "region": world.region,
        "registryId": world.account,
        "repositoryUrl": f"{registry(world)}/{name}",
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
    }


@invoke("aws:ecr/getImages:getImages")
def get_images(world: "World", arguments: Properties) -> Properties:
    """The images of a repository by digest and tag."""
    name = arguments["repositoryName"]
    pages = world.client("ecr").get_paginator("list_images").paginate(repositoryName=name) if world.url else []
    images = [
        {"imageDigest": image["imageDigest"], "imageTag": image.get("imageTag", "")}
        for page in pages
        for image in page["imageIds"]
    ]
    common = {"region": world.region, "registryId": world.account, "repositoryName": name}
    return {"imageIds": images, **common}


@invoke("aws:ecr/getImage:getImage")
def get_image(world: "World", arguments: Properties) -> Properties:
    """One image, by tag, digest, or the most recent.

    Raises:
        RefusedError: The repository does not have it.
    """
    name = arguments["repositoryName"]
    images = _described(world, name, arguments)
    if not images:
        wanted = arguments.get("imageTag") or arguments.get("imageDigest") or "most recent"
        raise RefusedError(f"the repository {name} has no image {wanted}")
    image = max(images, key=lambda each: each["imagePushedAt"])
    return {
        "id": image["imageDigest"],
        "imageDigest": image["imageDigest"],
        "imagePushedAt": int(image["imagePushedAt"].timestamp()),
        "imageSizeInBytes": image.get("imageSizeInBytes", 0),
        "imageTag": arguments.get("imageTag"),
        "imageTags": image.get("imageTags", []),
        "imageUri": f"{registry(world)}/{name}@{image['imageDigest']}",
        "mostRecent": arguments.get("mostRecent"),
        "region": world.region,
        "registryId": world.account,
        "repositoryName": name,
    }


def _described(world: "World", name: str, arguments: Properties) -> list[dict[str, Any]]:
    if not world.url:
        return []
    wanted = {key: arguments[key] for key in ("imageTag", "imageDigest") if arguments.get(key)}
    only = {"imageIds": [wanted]} if wanted else {}
    answer = present(lambda: world.client("ecr").describe_images(repositoryName=name, **only))
    return list(answer["imageDetails"]) if answer else []


@invoke("aws:iam/getPolicyDocument:getPolicyDocument")
def get_policy_document(world: "World", arguments: Properties) -> Properties:  # noqa: ARG001  an invoke's signature
    """A policy from its parts.

    Raises:
        SandboxUnsupported: It is merged from other documents.
    """
    for name in ("sourcePolicyDocuments", "overridePolicyDocuments", "sourceJson", "overrideJson"):
        if arguments.get(name):
            raise SandboxUnsupported(f"`{name}` of aws.iam.get_policy_document")
    statements = arguments.get("statements") or []
    version = arguments.get("version") or "2012-10-17"
    identity = {"Id": arguments["policyId"]} if arguments.get("policyId") else {}
    policy = {"Version": version, **identity, "Statement": [_statement(each) for each in statements]}
    minified = json.dumps(policy, separators=(",", ":"))
    return {"id": minified, "json": json.dumps(policy, indent=2), "minifiedJson": minified, "version": version}


def _statement(given: Properties) -> dict[str, Any]:
    made: dict[str, Any] = {"Sid": given["sid"]} if given.get("sid") else {}
    made["Effect"] = given.get("effect") or "Allow"
    for name in ("actions", "notActions", "resources", "notResources"):
        if given.get(name):
            made[name[:1].upper() + name[1:-1]] = _one_or_several(given[name])
    for name in ("principals", "notPrincipals"):
        if given.get(name):
            made[name[:1].upper() + name[1:-1]] = _principals(given[name])
    for condition in given.get("conditions") or []:
        test = made.setdefault("Condition", {}).setdefault(condition["test"], {})
        test[condition["variable"]] = _one_or_several(condition["values"])
    return made


def _principals(given: list[Properties]) -> Any:  # noqa: ANN401  a star or a dictionary
    if any(each["type"] == "*" for each in given):
        return "*"
    return {each["type"]: _one_or_several(each["identifiers"]) for each in given}


def _one_or_several(values: list[str]) -> Any:  # noqa: ANN401  IAM writes one as a text
    return values[0] if len(values) == 1 else values
