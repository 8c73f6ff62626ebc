"""Plausible outputs for a resource that nobody makes: every property of its SDK class, those AWS computes filled in."""

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from pulumi import _types
from pulumi.runtime import rpc

from quintet.sandbox.engine.added import WITHIN_INPUTS
from quintet.sandbox.engine.aws_names import AwsName
from quintet.sandbox.engine.cloud import Properties

_CREATED = "2026-01-01T00:00:00Z"
_NAME_INPUTS = ("name", "statementId")
_ACCOUNT_KEYS = frozenset({"accountId", "owner", "ownerId", "registryId"})
_DATE_ENDINGS = ("Date", "Time", "Modified", "At")
_NESTING = 3  # deeper computed structures do not occur; some types refer to themselves


@cache
def resource_class(type_: str) -> type | None:
    """The SDK class of a type token, where an imported SDK has one."""
    key = type_.rpartition(":")[0]
    for module in rpc._RESOURCE_MODULES.get(key, ()):  # noqa: SLF001  the SDK's registry has no public reader
        info: Mapping[str, typing.Any] = getattr(module, "mod_info", {})
        if name := info.get("classes", {}).get(type_):
            found: type = getattr(importlib.import_module(info["fqn"]), name)
            return found
    return None


@cache
def input_names(type_: str) -> frozenset[str]:
    """The inputs of a type, camelCase."""
    cls = resource_class(type_)
    if cls is None:
        return frozenset()
    parameters = inspect.signature(cls._internal_init).parameters  # type: ignore[attr-defined]  # every generated class has it
    names = _types.resource_pulumi_to_py_names(cls)
    return frozenset(wire for wire, python in names.items() if python in parameters)


def name_input(type_: str) -> str | None:
    """The input that carries the physical name and that the AWS provider fills where the program does not."""
    if not type_.startswith("aws:"):
        return None
    if type_ == "aws:s3/bucket:Bucket":
        return "bucket"
    return next((key for key in _NAME_INPUTS if key in input_names(type_)), None)


def computed_outputs(type_: str, inputs: Properties, name: AwsName) -> Properties:
    """Every output of a type beyond its inputs: plausible where AWS computes it, None where it was not given."""
    cls = resource_class(type_)
    if cls is None:
        return {}
    given = input_names(type_)
    outputs: Properties = {}
    for key, kind in _types.resource_types(cls).items():
        if key in inputs or key == "tagsAll":
            continue
        outputs[key] = name.region if key == "region" else None if key in given else _value(key, kind, inputs, name)
    if "tagsAll" in _types.resource_types(cls):
        outputs["tagsAll"] = inputs.get("tags", {})
    if type_ in WITHIN_INPUTS:
        structure, added = WITHIN_INPUTS[type_]
        outputs[structure] = {**inputs[structure], **{key: _text(key, inputs, name) for key in added}}
    return outputs


def _value(key: str, kind: object, inputs: Properties, name: AwsName, depth: int = 0) -> typing.Any:  # noqa: ANN401  any JSON
    origin = typing.get_origin(kind)
    if kind in {int, float}:
        return 1
    if kind is bool:
        return False
    if origin in {list, Sequence} or (origin is not None and issubclass(origin, Sequence)):
        return [_value(key, typing.get_args(kind)[0], inputs, name, depth)]
    if origin is not None:
        return {}
    if isinstance(kind, type) and _types.is_output_type(kind):
        return _structure(kind, inputs, name, depth + 1)
    return _text(key, inputs, name)


def _structure(kind: type, inputs: Properties, name: AwsName, depth: int) -> Properties:
    if depth > _NESTING:
        return {}
    return {key: _value(key, item, inputs, name, depth) for key, item in _types.output_type_types(kind).items()}


def _text(key: str, inputs: Properties, name: AwsName) -> str:
    if key.lower().endswith("arn"):
        return _arn(key, name)
    if key.endswith(("Url", "Uri", "Endpoint", "url", "uri", "endpoint")):
        return _url(key, name)
    if key.endswith(("DomainName", "dnsName")):
        return f"{name.name or name.short_id}.{name.service}.{name.region}.amazonaws.com"
    if key in _ACCOUNT_KEYS:
        return name.account
    if key.endswith("Region"):
        return name.region
    return _CREATED if key.endswith(_DATE_ENDINGS) else _identifier(key, inputs, name)


_IDENTIFIERS: Mapping[str, Callable[[Properties, AwsName], str]] = {
    "arnSuffix": lambda _, name: name.arn.rpartition(":")[2].removeprefix("loadbalancer/"),
    "contextHash": lambda _, name: name.digest,
    "digest": lambda _, name: f"sha256:{name.digest}",
    "latestVersion": lambda *_: "1",
    "ref": lambda inputs, name: f"{next(iter(inputs.get('tags') or ()), 'image')}@sha256:{name.digest}",
    "version": lambda *_: "1",
    "vpcId": lambda _, name: f"vpc-{name.digest[:17]}",
}


def _identifier(key: str, inputs: Properties, name: AwsName) -> str:
    if make := _IDENTIFIERS.get(key):
        return make(inputs, name)
    if key.endswith("SecurityGroupId"):
        return f"sg-{name.digest[:17]}"
    return name.short_id if key.endswith("Id") else f"{key}-{name.digest[:8]}"


def _arn(key: str, name: AwsName) -> str:
    match key:
        case "arn":
            return name.arn
        case "invokeArn" | "qualifiedInvokeArn":
            function = name.arn if key == "invokeArn" else f"{name.arn}:1"
            return f"arn:aws:apigateway:{name.region}:lambda:path/2015-03-31/functions/{function}/invocations"
        case "executionArn":
            path = f"{name.owner}/{name.name}" if name.owner else name.short_id
            return f"arn:aws:execute-api:{name.region}:{name.account}:{path}"
        case "qualifiedArn":
            return f"{name.arn}:1"
        case _:
            return f"{name.arn}/{key.removesuffix('Arn')}"


def _url(key: str, name: AwsName) -> str:
    match key:
        case "repositoryUrl":
            return f"{name.account}.dkr.ecr.{name.region}.amazonaws.com/{name.name}"
        case "apiEndpoint":
            return f"https://{name.short_id}.execute-api.{name.region}.amazonaws.com"
        case "invokeUrl":
            stage = f"/{name.name}".removesuffix("/$default")
            return f"https://{name.owner}.execute-api.{name.region}.amazonaws.com{stage}"
        case _:
            return f"https://{name.service}.{name.region}.amazonaws.com/{name.name or name.short_id}"
