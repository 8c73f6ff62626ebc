"""Runs the Python program for the Pulumi CLI: `pulumi-language-python ENGINE_ADDRESS`.

An installed Pulumi brings this program itself; where the CLI was built from its Go module, this one stands in. The
CLI starts it, reads a port from its standard output, and asks it over gRPC to run the program.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi import runtime
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.engine.places import Places
from quintet.sandbox.engine.program import run_to_the_end, surroundings
from quintet.sandbox.ports import HOST
from quintet.sandbox.real.policy_pack import run_pack
from quintet.sandbox.real.workspace import providers_answer

_MESSAGE_BYTES = 400 * 2**20
_POLL_SECONDS = 0.5
NOT_RUNNING = (
    "the sandbox does not run, or has moved to another port: `quintet up --engine pulumi` starts it; "
    'in a shell, `eval "$(quintet env)"` starts it and sets the variables anew'
)

Context = Any


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the CLI. The environment is this interpreter's, which has all that the program needs."""

    def __init__(self, engine_address: str) -> None:
        self._engine_address = engine_address

    def Handshake(self, _request: object, _context: Context) -> language_pb2.LanguageHandshakeResponse:
        """Nothing to agree on."""
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, _request: object, _context: Context) -> plugin_pb2.PluginInfo:
        """The version of the SDK that the program runs with."""
        return plugin_pb2.PluginInfo(version=_sdk_version())

    def GetRequiredPlugins(self, _request: object, _context: Context) -> language_pb2.GetRequiredPluginsResponse:
        """None to download: the sandbox serves every provider."""
        return language_pb2.GetRequiredPluginsResponse()

    def GetRequiredPackages(self, _request: object, _context: Context) -> language_pb2.GetRequiredPackagesResponse:
        """As above."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetProgramDependencies(
        self, _request: object, _context: Context
    ) -> language_pb2.GetProgramDependenciesResponse:
        """For `pulumi about`, which goes without."""
        return language_pb2.GetProgramDependenciesResponse()

    def RuntimeOptionsPrompts(self, _request: object, _context: Context) -> language_pb2.RuntimeOptionsResponse:
        """No options to ask for."""
        return language_pb2.RuntimeOptionsResponse()

    def About(self, _request: object, _context: Context) -> language_pb2.AboutResponse:
        """The interpreter."""
        return language_pb2.AboutResponse(executable=sys.executable, version=".".join(map(str, sys.version_info[:3])))

    def Cancel(self, _request: object, _context: Context) -> empty_pb2.Empty:
        """The engine ends the program by ending this process."""
        return empty_pb2.Empty()

    def Run(self, request: language_pb2.RunRequest, _context: Context) -> language_pb2.RunResponse:
        """Run the program to its end; what it raises is told to the engine as one message."""
        failed: list[bool] = []
        # A thread of its own: context variables, where the SDK keeps its settings, that nothing else sees.
        thread = threading.Thread(target=lambda: failed.append(self._failed(request)), name="pulumi-program")
        thread.start()
        thread.join()
        return language_pb2.RunResponse(bail=failed != [False])

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: Context
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a policy pack until the CLI is done with it."""
        yield from run_pack(
            request.info.program_directory,
            request.args,
            cwd=request.pwd,
            environment=dict(variable.split("=", 1) for variable in request.env),
            on_cancel=context.add_callback,
        )

    def _failed(self, request: language_pb2.RunRequest) -> bool:
        program = Path(request.info.program_directory or request.pwd).resolve()
        places = Places(program)
        self._configure(request)
        try:
            if not providers_answer():
                raise SandboxError(NOT_RUNNING)  # noqa: TRY301  told in the one way that errors are told
            with surroundings(program):
                run_to_the_end(program, places)
        except BaseException as error:  # noqa: BLE001  the border to the engine
            if not _is_shutdown(error):
                pulumi.log.error(str(places.told(error)))
            return True
        return False

    def _configure(self, request: language_pb2.RunRequest) -> None:
        runtime.reset_options(
            project=request.project,
            stack=request.stack,
            root_directory=request.info.root_directory,
            parallel=request.parallel,
            engine_address=self._engine_address,
            monitor_address=request.monitor_address,
            preview=request.dryRun,
            organization=request.organization,
        )
        runtime.set_all_config(dict(request.config), list(request.configSecretKeys))


def main(arguments: list[str]) -> int:
    """Serves until the CLI ends this process, or has itself ended."""
    options = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(arguments[0] if arguments else ""), server)
    port = server.add_insecure_port(f"{HOST}:0")
    parent = os.getppid()
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    try:
        while os.getppid() == parent:  # a CLI that is killed leaves its children behind
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        pass
    # At once: the interpreter's own shutdown would race the program, whose calls then fail with tracebacks.
    os._exit(0)


def _is_shutdown(error: BaseException) -> bool:
    """Whether the engine has ended the run by itself and told why: then there is nothing to add."""
    return isinstance(error, pulumi.RunError) and "Resource monitor has terminated" in str(error)


def _sdk_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  a tenth of a second that nobody else waits for

    return version("pulumi")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
