"""The classes of the Pulumi SDKs: which inputs they take and which outputs they give."""

import importlib
import inspect
import warnings
from functools import cache
from typing import Any

_PACKAGES = {"aws": "pulumi_aws", "random": "pulumi_random", "docker-build": "pulumi_docker_build"}


@cache
def class_of(token: str) -> Any:
    package, module, name = token.split(":")
    if package == "kubernetes":
        return _kubernetes_class(module, name)
    folder = module.split("/")[0]
    parts = [_PACKAGES[package], *([] if folder == "index" else ["lambda_" if folder == "lambda" else folder])]
    with warnings.catch_warnings():  # the first import of a module warns of its deprecated names
        warnings.simplefilter("ignore", DeprecationWarning)
        return getattr(importlib.import_module(".".join(parts)), name)


def _kubernetes_class(module: str, name: str) -> Any:
    group, _, version = module.partition("/")
    try:
        found = importlib.import_module(f"pulumi_kubernetes.{group.partition('.')[0]}.{version}")
    except ModuleNotFoundError:
        found, name = importlib.import_module("pulumi_kubernetes.apiextensions"), "CustomResource"
    return getattr(found, name)


def _names(token: str) -> dict[str, str]:
    """Pulumi names by Python names."""
    properties = inspect.getmembers(class_of(token), lambda member: isinstance(member, property))
    return {name: found for name, member in properties if (found := getattr(member.fget, "_pulumi_name", None))}


def output_names(token: str) -> set[str]:
    return set(_names(token).values())


def input_names(token: str) -> set[str]:
    names = _names(token)
    parameters = inspect.signature(class_of(token)._internal_init).parameters
    inputs = set(parameters) - {"__self__", "resource_name", "opts", "__props__"}
    return {names.get(name, names.get(name.rstrip("_"), _camel(name.rstrip("_")))) for name in inputs}


def _camel(name: str) -> str:
    """A Python name as Pulumi has it: a custom resource's class does not say."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
