"""Pulumi's provider protocol, answered by a cloud of the sandbox.

One servicer stands for every package: the type token of a request says which kind of resource it is about. It declares
no feature in its handshake but autonaming, so the engine unwraps secrets, outputs and references before it sends
them, keeps secrets encrypted in its state, and hides them on the terminal, without any work here. The values do
arrive in clear: nothing in this module logs one.

Protocol: https://pulumi-developer-docs.readthedocs.io/latest/docs/architecture/providers/
"""

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from quintet.sandbox.engine.added import added, as_declared, foreseen, merged
from quintet.sandbox.engine.cloud import UNKNOWN, Cloud, Diff, Properties
from quintet.sandbox.engine.codec import decode, encode
from quintet.sandbox.engine.errors import SandboxError, SandboxUnsupported
from quintet.sandbox.engine.urn import name_of, types_of

_LOG = logging.getLogger(__name__)

_AUTONAME = "__autoname"
"""Among a resource's inputs: the physical name that was proposed when it was made.

The engine proposes another name at every Check, also of a resource that lives. Keys that begin with two underscores are
kept in its state and not shown in differences.
"""

_LONGEST_MESSAGE = 2600
"""Bytes of an error: gRPC carries it in headers, of which a client may refuse more than 8 kB in all, and there every
byte that is not ASCII takes three."""

Context = Any
"""grpc.ServicerContext, which has no types."""

_Q = TypeVar("_Q")
_A = TypeVar("_A")


def _telling(method: Callable[["Provider", _Q, Context], _A]) -> Callable[["Provider", _Q, Context], _A]:
    """Whatever a method raises fails its resource, with the message alone."""

    @functools.wraps(method)
    def call(self: "Provider", request: _Q, context: Context) -> _A:
        try:
            return method(self, request, context)
        except Exception as error:  # noqa: BLE001  the border to the engine, which tells it to the user
            _abort(context, error)

    return call


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine; stateless but for its cloud, so one serves any number of provider instances at once."""

    def __init__(self, cloud: Cloud, program: Path, require_ready: Callable[[], None]) -> None:
        """Serve a cloud.

        Args:
            cloud: What resources are made on.
            program: The program's folder, from which paths of assets are meant.
            require_ready: Called when an operation of the engine begins; raises SandboxError where none may.
        """
        self._cloud, self._program, self._require_ready = cloud, program, require_ready

    # -- The provider itself

    def Handshake(self, _request: object, _context: Context) -> provider_pb2.ProviderHandshakeResponse:
        """What this provider takes unwrapped: nothing. Autonaming must be told here and in Configure."""
        return provider_pb2.ProviderHandshakeResponse(supports_autonaming_configuration=True)

    def Attach(self, _request: object, _context: Context) -> empty_pb2.Empty:
        """The engine has found a provider that ran before it."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, _request: object, _context: Context) -> plugin_pb2.PluginInfo:
        """A version that no SDK finds too old: this provider belongs to a checkout, not to a package's release."""
        return plugin_pb2.PluginInfo(version="99.0.0")

    def CheckConfig(self, request: provider_pb2.CheckRequest, _context: Context) -> provider_pb2.CheckResponse:
        """Any configuration will do: the sandbox has one account and one region."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, _request: object, _context: Context) -> provider_pb2.DiffResponse:
        """Other settings of a provider change nothing here."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    @_telling
    def Configure(self, _request: object, _context: Context) -> provider_pb2.ConfigureResponse:
        """An operation of the engine begins."""
        self._require_ready()
        return provider_pb2.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    def Cancel(self, _request: object, _context: Context) -> empty_pb2.Empty:
        """What has begun is short and is finished."""
        return empty_pb2.Empty()

    # -- Resources

    @_telling
    def Check(self, request: provider_pb2.CheckRequest, _context: Context) -> provider_pb2.CheckResponse:
        """Complete the inputs; a resource that lives keeps the name it was made with."""
        old, new = self._plain(request.olds), self._plain(request.news)
        autoname = old.pop(_AUTONAME, None) or request.autonaming.proposed_name
        checked = self._cloud.check(_type(request.urn), name_of(request.urn), old, new, autoname=autoname)
        named = {_AUTONAME: autoname} if autoname else {}
        return provider_pb2.CheckResponse(inputs=encode(checked | named))

    @_telling
    def Diff(self, request: provider_pb2.DiffRequest, _context: Context) -> provider_pb2.DiffResponse:
        """Compare inputs with inputs: `olds` are outputs."""
        type_, old, new = _type(request.urn), self._inputs(request.old_inputs), self._inputs(request.news)
        diff = self._cloud.diff(type_, old, new)
        changes = provider_pb2.DiffResponse.DIFF_SOME if diff.changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=changes,
            diffs=diff.changed,
            replaces=diff.replaces,
            deleteBeforeReplace=bool(diff.replaces) and self._delete_first(request, type_, old, new),
            detailedDiff={key: _difference(key, old, new, diff) for key in diff.changed},
            hasDetailedDiff=True,
        )

    @_telling
    def Create(self, request: provider_pb2.CreateRequest, _context: Context) -> provider_pb2.CreateResponse:
        """Make it; in a preview what is not an input stays unknown."""
        inputs = self._inputs(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=encode(foreseen(_type(request.urn), inputs)))
        id_, outputs = self._cloud.create(_type(request.urn), inputs)
        return provider_pb2.CreateResponse(id=id_, properties=encode(inputs | outputs))

    @_telling
    def Update(self, request: provider_pb2.UpdateRequest, _context: Context) -> provider_pb2.UpdateResponse:
        """Change it in place."""
        type_, inputs, old = _type(request.urn), self._inputs(request.news), self._plain(request.olds)
        beyond = added(old, self._inputs(request.old_inputs))
        if request.preview:
            return provider_pb2.UpdateResponse(properties=encode(self._cloud.planned(type_, beyond, inputs)))
        outputs = self._cloud.update(type_, request.id, old, inputs)
        return provider_pb2.UpdateResponse(properties=encode(merged(beyond, inputs) | outputs))

    @_telling
    def Delete(self, request: provider_pb2.DeleteRequest, _context: Context) -> empty_pb2.Empty:
        """Delete it."""
        self._cloud.delete(_type(request.urn), request.id, self._plain(request.properties))
        return empty_pb2.Empty()

    @_telling
    def Read(self, request: provider_pb2.ReadRequest, _context: Context) -> provider_pb2.ReadResponse:
        """What it is now; no id means that it is gone. Inputs that differ from what was read are drift."""
        known, inputs = self._plain(request.properties), self._plain(request.inputs)
        real = self._cloud.read(_type(request.urn), request.id, known)
        if real is None:
            return provider_pb2.ReadResponse()
        seen = as_declared(inputs, real)
        return provider_pb2.ReadResponse(id=request.id, properties=encode(known | real), inputs=encode(seen))

    # -- Functions

    @_telling
    def Invoke(self, request: provider_pb2.InvokeRequest, _context: Context) -> provider_pb2.InvokeResponse:
        """Call a provider function; for real in a preview, too, as with any provider."""
        result = self._cloud.invoke(request.tok, self._plain(request.args))
        response: dict[str, Any] = {"return": encode(result)}  # a keyword of Python
        return provider_pb2.InvokeResponse(**response)

    def _plain(self, properties: struct_pb2.Struct) -> Properties:
        return decode(properties, self._program).values

    def _inputs(self, properties: struct_pb2.Struct) -> Properties:
        plain = self._plain(properties)
        plain.pop(_AUTONAME, None)
        return plain

    def _delete_first(self, request: provider_pb2.DiffRequest, type_: str, old: Properties, new: Properties) -> bool:
        """Whether old and new cannot live side by side. A proposed name does not hinder: the new one gets another."""
        autoname = request.news.fields[_AUTONAME].string_value if _AUTONAME in request.news.fields else None
        renewed = {key: UNKNOWN if autoname and value == autoname else value for key, value in new.items()}
        return self._cloud.diff(type_, old, renewed).delete_first


def _type(urn: str) -> str:
    return types_of(urn).rpartition("$")[2]


def _difference(key: str, old: Properties, new: Properties, diff: Diff) -> provider_pb2.PropertyDiff:
    kinds = provider_pb2.PropertyDiff
    replaces = key in diff.replaces
    if key not in old:
        return kinds(kind=kinds.ADD_REPLACE if replaces else kinds.ADD, inputDiff=True)
    if key not in new:
        return kinds(kind=kinds.DELETE_REPLACE if replaces else kinds.DELETE, inputDiff=True)
    return kinds(kind=kinds.UPDATE_REPLACE if replaces else kinds.UPDATE, inputDiff=True)


def _abort(context: Context, error: Exception) -> NoReturn:
    if isinstance(error, SandboxUnsupported):
        message = f"{error.feature}: the sandbox does not have it, with neither engine"
    elif isinstance(error, SandboxError):
        message = str(error)
    else:
        _LOG.error("a resource failed", exc_info=error)
        message = f"{type(error).__name__}: {error}"
    context.abort(grpc.StatusCode.UNKNOWN, message.encode()[:_LONGEST_MESSAGE].decode(errors="ignore"))
    raise AssertionError("abort raises")  # what grpc's types do not say
