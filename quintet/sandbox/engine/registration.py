"""A resource as the program declares it, and the refusal of what the sandbox's engine leaves to the real one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pulumi.runtime.proto import alias_pb2, resource_pb2

from quintet.sandbox.engine.cloud import Properties
from quintet.sandbox.engine.codec import decode
from quintet.sandbox.engine.errors import SandboxUnsupported
from quintet.sandbox.engine.state import Options, Resource
from quintet.sandbox.engine.urn import Alias

_UNSUPPORTED_FIELDS: Mapping[str, str] = {
    "importId": "importing an existing resource (`import_`)",
    "deletedWith": "the resource option `deleted_with`",
    "hooks": "resource hooks",
    "transforms": "resource transforms (`transforms=`)",
    "replace_with": "the resource option `replace_with`",
    "replacement_trigger": "the resource option `replacement_trigger`",
    "state_migrations": "state migrations",
    "envVarMappings": "the provider option `env_var_mappings`",
    "packageRef": "parameterized providers",
}
_UNSUPPORTED_TYPES: Mapping[str, str] = {
    "pulumi:pulumi:StackReference": "`StackReference`",
    "pulumi-python:dynamic": "dynamic providers",
    "pulumi-nodejs:dynamic": "dynamic providers",
}
_PROVIDER = "pulumi:providers:"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What the program declares of one resource."""

    urn: str
    type: str
    name: str
    parent: str
    made_by_cloud: bool
    inputs: Properties
    secrets: frozenset[str]
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]
    provider: str
    options: Options

    def as_resource(self) -> Resource:
        """The resource before anything has made it: with its declared inputs as its outputs."""
        return Resource(
            urn=self.urn,
            type=self.type,
            name=self.name,
            custom=self.made_by_cloud,
            inputs=self.inputs,
            outputs=self.inputs,
            secrets=self.secrets,
            parent=self.parent,
            dependencies=self.dependencies,
            property_dependencies=self.property_dependencies,
            provider=self.provider,
            options=self.options,
        )


def is_provider(type_: str) -> bool:
    """Whether a type token is that of an explicit provider."""
    return type_.startswith(_PROVIDER)


def refuse_unsupported(request: resource_pb2.RegisterResourceRequest) -> None:
    """Raise about a feature that only the real engine has.

    Raises:
        SandboxUnsupported: The request uses such a feature.
    """
    refuse_unsupported_type(request.type)
    if request.remote:
        raise SandboxUnsupported(f"the component {request.type} of a provider")
    for descriptor, value in request.ListFields():
        is_empty_message = hasattr(value, "ByteSize") and value.ByteSize() == 0
        if descriptor.name in _UNSUPPORTED_FIELDS and not is_empty_message:
            raise SandboxUnsupported(_UNSUPPORTED_FIELDS[descriptor.name])


def refuse_unsupported_type(type_: str) -> None:
    """Raise about a type that only the real engine has.

    Raises:
        SandboxUnsupported: It is such a type.
    """
    for prefix, feature in _UNSUPPORTED_TYPES.items():
        if type_.startswith(prefix):
            raise SandboxUnsupported(feature)


def read_registration(
    request: resource_pb2.RegisterResourceRequest, *, urn: str, aliases: tuple[str, ...], parent: Options, folder: Path
) -> Registration:
    """Turn a request into a registration.

    Args:
        request: What came from the program.
        urn: The resource's URN.
        aliases: The URNs that it may have had.
        parent: The parent's options, some of which children inherit.
        folder: The program's folder, from which paths of assets are meant.
    """
    decoded = decode(request.object, folder)
    by_property = {key: tuple(sorted(item.urns)) for key, item in request.propertyDependencies.items()}
    needed = {*request.dependencies, *(urn for urns in by_property.values() for urn in urns)}
    return Registration(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent,
        made_by_cloud=request.custom and not is_provider(request.type),
        inputs=decoded.values,
        secrets=decoded.secrets | frozenset(request.additionalSecretOutputs),
        dependencies=tuple(sorted(needed - {urn})),
        property_dependencies=by_property,
        provider=request.provider.rpartition("::")[0],  # a reference is the URN and the id
        options=_options(request, aliases, parent),
    )


def declared_aliases(request: resource_pb2.RegisterResourceRequest) -> list[str | Alias]:
    """The aliases in a request: whole URNs, or what differs."""
    return [*request.aliasURNs, *(_alias(alias) for alias in request.aliases)]


def _alias(alias: alias_pb2.Alias) -> str | Alias:
    if alias.WhichOneof("alias") == "urn":
        return alias.urn
    spec = alias.spec
    parent = "" if spec.noParent else (spec.parentUrn or None)
    return Alias(spec.name or None, spec.type or None, parent, spec.stack or None, spec.project or None)


def _options(request: resource_pb2.RegisterResourceRequest, aliases: tuple[str, ...], parent: Options) -> Options:
    retains = request.retainOnDelete if request.HasField("retainOnDelete") else parent.retain_on_delete
    return Options(
        protect=request.protect if request.HasField("protect") else parent.protect,
        retain_on_delete=retains,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        aliases=aliases,
    )
