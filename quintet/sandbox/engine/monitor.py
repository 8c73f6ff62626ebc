"""The Pulumi engine as the SDK sees it: the resource monitor and the engine's log, served in this process.

The SDK calls these methods from the threads of its event loop's executor, several at once. The names are the wire
protocol's (https://github.com/pulumi/pulumi/tree/master/proto/pulumi).
"""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, resource_pb2

from quintet.autonaming import Autonaming
from quintet.sandbox.engine.cloud import Cloud, Properties
from quintet.sandbox.engine.codec import Decoded, decode, encode
from quintet.sandbox.engine.errors import ResourceFailedError, SandboxError, SandboxUnsupported
from quintet.sandbox.engine.plan import plan
from quintet.sandbox.engine.progress import Progress
from quintet.sandbox.engine.realise import Realiser
from quintet.sandbox.engine.registration import (
    Registration,
    declared_aliases,
    is_provider,
    read_registration,
    refuse_unsupported,
    refuse_unsupported_type,
)
from quintet.sandbox.engine.state import Options, Resource, State
from quintet.sandbox.engine.urn import STACK_TYPE, aliases_of, make_urn

_LOG = logging.getLogger("quintet.program")
_LEVELS = {
    engine_pb2.DEBUG: logging.DEBUG,
    engine_pb2.INFO: logging.INFO,
    engine_pb2.WARNING: logging.WARNING,
    engine_pb2.ERROR: logging.ERROR,
}
# Claimed so that the program may use them, or so that their use arrives here and is refused by name: unclaimed, the
# SDK would ask the user to update a Pulumi CLI that is not there.
_FEATURES = (
    "SECRETS",
    "RESOURCE_REFERENCES",
    "ALIAS_SPECS",
    "DELETED_WITH",
    "REPLACE_WITH",
    "REPLACEMENT_TRIGGER",
    "TRANSFORMS",
    "INVOKE_TRANSFORMS",
    "PARAMETERIZATION",
    "RESOURCE_HOOKS",
    "ERROR_HOOKS",
    "STATE_MIGRATIONS",
)
_SANDBOX_PROVIDER_ID = "sandbox"


@dataclass
class Monitor:
    """Receives the registrations of one run of the program and has each one realised.

    Attributes:
        outputs: The stack's outputs, once the program has ended.
    """

    cloud: Cloud
    state: State
    progress: Progress
    realiser: Realiser
    project: str
    stack: str
    program: Path
    autonaming: Autonaming
    source_of_names: Callable[[str], random.Random]
    preview: bool
    outputs: Decoded = field(default_factory=lambda: Decoded({}, frozenset()))
    _registered: dict[str, Resource] = field(default_factory=dict)
    _begun: dict[str, Registration] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def registered(self) -> dict[str, Resource]:
        """Every resource by URN, in the order in which the program declared them."""
        return {urn: self._registered[urn] for urn in self._begun if urn in self._registered}

    # -- What the program declares

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:
        """Realise a resource, or note a component or a provider."""
        declared = self._begin(request)
        if declared.made_by_cloud:
            self.progress.may_begin()
            resource = self._realised(declared)
        else:
            resource = self._noted(declared)
        with self._lock:
            self._registered[declared.urn] = resource
        return resource_pb2.RegisterResourceResponse(
            urn=resource.urn, id=resource.id, object=encode(resource.outputs, resource.secrets)
        )

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> empty_pb2.Empty:
        """Note the outputs of a component, or of the stack (which the state gets when all has gone well)."""
        outputs = decode(request.outputs, self.program)
        noted = replace(self._begun[request.urn].as_resource(), outputs=outputs.values, secrets=outputs.secrets)
        with self._lock:
            self._registered[request.urn] = noted
        if noted.type == STACK_TYPE:
            self.outputs = outputs
        else:
            self.state.put(noted)
        return empty_pb2.Empty()

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:
        """Look up a resource that another program made (`X.get`); a preview knows of it only what it was given."""
        refuse_unsupported_type(request.type)
        urn = self._urn(request.parent, request.type, request.name)
        given = decode(request.properties, self.program)
        outputs: Properties | None = given.values
        if not self.preview:
            outputs = self.cloud.read(request.type, request.id, given.values)
        if outputs is None:
            self._fail(urn, SandboxError(f"there is no {request.type} with the id {request.id}"))
        return resource_pb2.ReadResourceResponse(
            urn=urn, id=request.id, properties=encode(given.values | outputs, given.secrets)
        )

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:
        """Call a provider function."""
        self.progress.may_begin()
        try:
            result = self.cloud.invoke(request.tok, decode(request.args, self.program).values)
        except Exception as error:
            failure = error if isinstance(error, SandboxError) else SandboxError(f"{request.tok}: {error}")
            self.progress.fail(failure)
            raise failure from error
        response: dict[str, Any] = {"return": encode(result)}  # a keyword of Python
        return resource_pb2.ResourceInvokeResponse(**response)

    # -- What only the real engine does

    def Call(self, request: resource_pb2.ResourceCallRequest) -> NoReturn:
        """Methods of a provider's resources."""
        self._refuse(f"the method {request.tok}")

    def ExistsResource(self, request: resource_pb2.ExistsResourceRequest) -> NoReturn:
        """Whether a resource exists outside the program."""
        self._refuse(f"asking whether {request.type} exists")

    def RegisterPackage(self, request: resource_pb2.RegisterPackageRequest) -> NoReturn:
        """Parameterized providers."""
        self._refuse(f"the parameterized provider {request.name}")

    def RegisterStackTransform(self, _request: object) -> NoReturn:
        """Transforms of every resource; the older transformations run inside the SDK and need nothing here."""
        self._refuse("stack transforms (`register_resource_transform`)")

    def RegisterStackInvokeTransform(self, _request: object) -> NoReturn:
        """Transforms of every provider function."""
        self._refuse("invoke transforms")

    def RegisterResourceHook(self, _request: object) -> NoReturn:
        """Callbacks before and after a resource is made."""
        self._refuse("resource hooks")

    def RegisterErrorHook(self, _request: object) -> NoReturn:
        """Callbacks when a resource fails."""
        self._refuse("error hooks")

    # -- What the SDK asks of an engine

    def GetDeploymentInfo(self, _request: object) -> resource_pb2.DeploymentInfo:
        """The features of this engine (newer SDKs)."""
        prefix = "RESOURCE_MONITOR_FEATURE_"
        known = [getattr(resource_pb2, prefix + feature, None) for feature in _FEATURES]
        return resource_pb2.DeploymentInfo(supportedFeatures=[feature for feature in known if feature is not None])

    def SupportsFeature(self, request: resource_pb2.SupportsFeatureRequest) -> resource_pb2.SupportsFeatureResponse:
        """Whether this engine has a feature (older SDKs, which write `aliasSpecs` for ALIAS_SPECS)."""
        known = {feature.replace("_", "").lower() for feature in _FEATURES}
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id.lower() in known)

    def SignalAndWaitForShutdown(self, _request: object) -> empty_pb2.Empty:
        """The program has ended; there are no hooks to wait for."""
        return empty_pb2.Empty()

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:
        """What the program or the SDK says."""
        _LOG.log(_LEVELS.get(request.severity, logging.INFO), "%s", request.message)
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, _request: object) -> engine_pb2.RequirePulumiVersionResponse:
        """No CLI runs here, so none can be too old."""
        return engine_pb2.RequirePulumiVersionResponse()

    # -- Steps of a registration

    def _begin(self, request: resource_pb2.RegisterResourceRequest) -> Registration:
        urn = self._urn(request.parent, request.type, request.name)
        try:
            refuse_unsupported(request)
            declared = self._read(request, urn)
            with self._lock:
                if urn in self._begun:
                    raise SandboxError("it is declared twice; give one of them another name")  # noqa: TRY301
                self._begun[urn] = declared
        except SandboxError as error:
            self._fail(urn, error)
        return declared

    def _read(self, request: resource_pb2.RegisterResourceRequest, urn: str) -> Registration:
        parent = self._begun.get(request.parent)
        aliases = aliases_of(
            declared_aliases(request),
            parent.options.aliases if parent else (),
            stack=self.stack,
            project=self.project,
            parent=request.parent,
            type_=request.type,
            name=request.name,
        )
        inherited = parent.options if parent else Options()
        return read_registration(request, urn=urn, aliases=aliases, parent=inherited, folder=self.program)

    def _realised(self, declared: Registration) -> Resource:
        old = self._old(declared)
        source = self.source_of_names(declared.urn)
        try:
            step = plan(self.cloud, declared, old, lambda: self.autonaming.propose(declared.name, source))
        except Exception as error:  # noqa: BLE001  whatever a kind raises fails its resource
            self._fail(declared.urn, error)
        return self.realiser.realise(declared, step, old)

    def _noted(self, declared: Registration) -> Resource:
        id_ = _SANDBOX_PROVIDER_ID if is_provider(declared.type) else ""
        resource = replace(declared.as_resource(), id=id_)
        old = self._old(declared)
        # Its outputs come later; until then the old ones stand, so that an unchanged component is not written twice.
        self.state.put(replace(resource, outputs=old.outputs, secrets=old.secrets) if old else resource)
        return resource

    def _old(self, declared: Registration) -> Resource | None:
        """The resource that exists, under this name or an alias of it."""
        for alias in declared.options.aliases:
            is_free = declared.urn not in self.state.resources and alias not in self._begun
            if is_free and alias in self.state.resources:
                self.state.rename(alias, declared.urn)
        old = self.state.resources.get(declared.urn)
        if old is not None and old.declared_only and self.cloud.realises(declared.type):
            return None  # the sandbox has learnt the type since: nothing of it exists yet
        return old

    def _urn(self, parent: str, type_: str, name: str) -> str:
        return make_urn(stack=self.stack, project=self.project, parent=parent, type_=type_, name=name)

    def _fail(self, urn: str, error: Exception) -> NoReturn:
        failure = ResourceFailedError(urn, error)
        self.progress.fail(failure)
        raise failure from error

    def _refuse(self, feature: str) -> NoReturn:
        error = SandboxUnsupported(feature)
        self.progress.fail(error)
        raise error
