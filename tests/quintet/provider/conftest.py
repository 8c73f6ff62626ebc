"""The provider over a cloud in memory, asked as the engine asks it: over gRPC on a port of this machine."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from quintet.sandbox.engine import SandboxError
from quintet.sandbox.engine.codec import decode
from quintet.sandbox.provider import Provider, ProviderServer
from tests.ports import free_port
from tests.quintet.engine.fake_cloud import TOPIC, FakeCloud

URN = f"urn:pulumi:dev::shop::shop:area:Component${TOPIC}::news"


def wire(values: dict[str, Any] | None = None) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values or {})
    return struct


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    return decode(struct, Path()).values


@dataclass
class Engine:
    """Asks as the real engine does."""

    stub: provider_pb2_grpc.ResourceProviderStub
    cloud: FakeCloud = field(default_factory=FakeCloud)
    not_ready: str = ""

    def require_ready(self) -> None:
        if self.not_ready:
            raise SandboxError(self.not_ready)

    def check(self, news: dict[str, Any], olds: dict[str, Any] | None = None, proposed: str = "") -> dict[str, Any]:
        autonaming = provider_pb2.CheckRequest.AutonamingOptions(proposed_name=proposed) if proposed else None
        request = provider_pb2.CheckRequest(urn=URN, news=wire(news), olds=wire(olds), autonaming=autonaming)
        return plain(self.stub.Check(request).inputs)

    def diff(self, old: dict[str, Any], new: dict[str, Any]) -> provider_pb2.DiffResponse:
        # What the engine calls `olds` are the outputs; they must not matter.
        olds = wire({**old, "arn": "arn:aws:sns:us-east-1:123456789012:old"})
        return self.stub.Diff(provider_pb2.DiffRequest(urn=URN, olds=olds, old_inputs=wire(old), news=wire(new)))

    def create(self, inputs: dict[str, Any], *, preview: bool = False) -> provider_pb2.CreateResponse:
        return self.stub.Create(provider_pb2.CreateRequest(urn=URN, properties=wire(inputs), preview=preview))

    def update(
        self, id_: str, outputs: dict[str, Any], old: dict[str, Any], new: dict[str, Any], *, preview: bool = False
    ) -> dict[str, Any]:
        request = provider_pb2.UpdateRequest(
            urn=URN, id=id_, olds=wire(outputs), old_inputs=wire(old), news=wire(new), preview=preview
        )
        return plain(self.stub.Update(request).properties)

    def read(self, id_: str, outputs: dict[str, Any], inputs: dict[str, Any]) -> provider_pb2.ReadResponse:
        return self.stub.Read(provider_pb2.ReadRequest(urn=URN, id=id_, properties=wire(outputs), inputs=wire(inputs)))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    port = free_port()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        asking = Engine(provider_pb2_grpc.ResourceProviderStub(channel))
        server = ProviderServer(Provider(asking.cloud, tmp_path, asking.require_ready), port)
        server.start()
        yield asking
        server.stop()
