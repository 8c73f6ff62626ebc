"""The wire format of the Pulumi SDK and plain properties, both ways.

Unknown values stay the string `UNKNOWN`; secrets are unwrapped and their top-level keys told; references to resources
become the referenced id; assets get the hash of their content.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

from quintet.sandbox.engine.assets import ARCHIVE, ASSET, SIGNATURE, with_hash
from quintet.sandbox.engine.cloud import UNKNOWN, Properties

_SECRET: str = rpc._special_secret_sig  # noqa: SLF001  the wire format's markers have no public names
_REFERENCE: str = rpc._special_resource_sig  # noqa: SLF001
_OUTPUT: str = rpc._special_output_value_sig  # noqa: SLF001


@dataclass(frozen=True)
class Decoded:
    """Plain properties, and the top-level keys of those that hold a secret."""

    values: Properties
    secrets: frozenset[str]


def decode(properties: struct_pb2.Struct, folder: Path) -> Decoded:
    """Properties as the program registered them.

    Args:
        properties: What came over the wire.
        folder: The program's folder, from which paths of assets are meant.

    Raises:
        SandboxError: An asset's file does not exist.
    """
    values, secrets = {}, set()
    for key, value in sorted(properties.fields.items()):  # a protobuf map has no order of its own
        decoder = _Decoder(folder)
        values[key] = decoder.value(value)
        if decoder.found_secret:
            secrets.add(key)
    return Decoded(values, frozenset(secrets))


def encode(values: Properties, secrets: frozenset[str] = frozenset()) -> struct_pb2.Struct:
    """Properties for the program, those of the given keys marked secret."""
    struct = struct_pb2.Struct()
    struct.update({key: {SIGNATURE: _SECRET, "value": v} if key in secrets else v for key, v in values.items()})
    return struct


class _Decoder:
    """Decodes one top-level value and remembers whether it held a secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found_secret = False

    def value(self, value: struct_pb2.Value) -> Any:  # noqa: ANN401  any JSON
        match value.WhichOneof("kind"):
            case "number_value":
                number = value.number_value  # a Struct knows floats only, boto3 wants integers
                return int(number) if number.is_integer() else number
            case "string_value":
                return value.string_value
            case "bool_value":
                return value.bool_value
            case "list_value":
                return [self.value(item) for item in value.list_value.values]
            case "struct_value":
                return self._struct(value.struct_value)
            case _:
                return None

    def _struct(self, struct: struct_pb2.Struct) -> Any:  # noqa: ANN401
        fields = struct.fields
        signature = fields[SIGNATURE].string_value if SIGNATURE in fields else None
        if signature == _SECRET:
            self.found_secret = True
            return self.value(fields["value"])
        if signature == _OUTPUT:
            self.found_secret |= "secret" in fields and fields["secret"].bool_value
            return self.value(fields["value"]) if "value" in fields else UNKNOWN
        if signature == _REFERENCE:
            return (fields["id"].string_value or UNKNOWN) if "id" in fields else fields["urn"].string_value
        plain = {key: self.value(item) for key, item in sorted(fields.items())}
        return with_hash(plain, self.folder) if signature in {ASSET, ARCHIVE} else plain
