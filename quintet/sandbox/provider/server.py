"""The provider's gRPC server on a port of 127.0.0.1 that stays the same, as the user's shell remembers it."""

from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from quintet.errors import Exit, QuintetError
from quintet.sandbox.ports import HOST, holder
from quintet.sandbox.provider.servicer import Provider

_WORKERS = 32
_MESSAGE_BYTES = 400 * 2**20
"""What the engine itself takes."""
_OPTIONS = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # else two checkouts could share a port, and each get half of the other's calls
)


class ProviderServer:
    """Serves a provider until it is stopped."""

    def __init__(self, provider: Provider, port: int) -> None:
        """Prepare it; nothing listens yet."""
        self._port = port
        self._server = grpc.server(ThreadPoolExecutor(_WORKERS, thread_name_prefix="provider"), options=_OPTIONS)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, self._server)

    def start(self) -> None:
        """Listen.

        Raises:
            QuintetError: Another process has the port.
        """
        try:
            self._server.add_insecure_port(f"{HOST}:{self._port}")
        except RuntimeError as error:
            raise QuintetError(
                f"Port {self._port}, on which the real engine finds this sandbox, is in use by {holder(self._port)}.",
                advice="Stop that process, or run `quintet down`, then this again: another port is taken then.",
                exit_code=Exit.PORT_IN_USE,
            ) from error
        self._server.start()

    def stop(self) -> None:
        """End at once; the engine sees a call that was under way fail."""
        self._server.stop(grace=0).wait()
