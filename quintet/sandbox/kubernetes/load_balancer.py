"""Network load balancers: a TCP forwarder on loopback for each listener, to the healthy targets of its group.

What AWS has and this does not: several zones, source addresses kept, a security group of its own. A connection whose
target does not answer is closed, as there: nobody tries another one, which only the health checks do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from quintet.sandbox.kubernetes.addresses import Addresses
from quintet.sandbox.kubernetes.targets import Target, TargetGroup, Targets

_CONNECT_SECONDS = 10.0
_CHUNK_BYTES = 64 * 1024


@dataclass(eq=False)
class _Listener:
    arn: str
    group: str
    server: asyncio.Server
    address: str
    connections: set[asyncio.Task[None]] = field(default_factory=set)


class LoadBalancers:
    """All listeners and target groups, by ARN; belongs to one event loop.

    Attributes:
        source: The address from which targets see all connections, as those of a balancer's own subnets.
    """

    def __init__(self, addresses: Addresses) -> None:
        """None yet; each listener gets one of the addresses."""
        self._addresses = addresses
        self.source = addresses.take()
        self._groups: dict[str, Targets] = {}
        self._listeners: dict[str, _Listener] = {}
        self._registered: dict[str, dict[str, frozenset[tuple[str, int]]]] = {}

    def put_group(self, arn: str, group: TargetGroup) -> None:
        """Makes or changes a target group; targets that were registered before it was made are taken then."""
        if arn in self._groups:
            self._groups[arn].change(group)
            return
        self._groups[arn] = Targets(group)
        self._apply(arn)

    async def delete_group(self, arn: str) -> None:
        """Forgets a target group."""
        if group := self._groups.pop(arn, None):
            await group.stop()

    def register(self, arn: str, owner: str, targets: Iterable[tuple[str, int]]) -> None:
        """Says which targets a group has on behalf of `owner` (a TargetGroupBinding, an attachment); none lets go."""
        owners = self._registered.setdefault(arn, {})
        if wanted := frozenset(targets):
            owners[owner] = wanted
        else:
            owners.pop(owner, None)
        self._apply(arn)

    def targets(self, arn: str) -> list[Target]:
        """The targets of a group with their health; none of a group that does not exist."""
        return self._groups[arn].all if arn in self._groups else []

    async def put_listener(self, arn: str, group: str) -> str:
        """Listens for a listener and forwards to a target group; gives the address, `127.x.y.z:port`."""
        if known := self._listeners.get(arn):
            known.group = group
            return known.address
        host = self._addresses.take()
        holder: list[_Listener] = []

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._forward(holder[0], reader, writer)

        # The port is any: one below 1024, as AWS's listeners often have, is not every user's to open.
        server = await asyncio.start_server(accept, host, 0, limit=_CHUNK_BYTES, start_serving=False)
        address = f"{host}:{server.sockets[0].getsockname()[1]}"
        holder.append(_Listener(arn, group, server, address))
        self._listeners[arn] = holder[0]
        await server.start_serving()
        return address

    async def delete_listener(self, arn: str) -> None:
        """Listens no more and cuts what goes through it."""
        if listener := self._listeners.pop(arn, None):
            listener.server.close()
            for task in list(listener.connections):
                task.cancel()
            await asyncio.gather(*listener.connections, return_exceptions=True)
            self._addresses.give_back(listener.address.partition(":")[0])

    def address(self, arn: str) -> str | None:
        """Where a listener answers; None when there is none of that ARN."""
        return self._listeners[arn].address if arn in self._listeners else None

    async def stop(self) -> None:
        """Ends everything."""
        for arn in list(self._listeners):
            await self.delete_listener(arn)
        for arn in list(self._groups):
            await self.delete_group(arn)

    def _apply(self, arn: str) -> None:
        if arn in self._groups:
            self._groups[arn].replace(set[tuple[str, int]]().union(*self._registered.get(arn, {}).values()))

    async def _forward(self, listener: _Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        target = self._groups[listener.group].next() if listener.group in self._groups else None
        if target is None or task is None:
            writer.transport.abort()
            return
        listener.connections.add(task)
        target.connections.add(task)
        try:
            await _through(target, self.source, reader, writer)
            writer.close()
        except (OSError, TimeoutError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            listener.connections.discard(task)
            target.connections.discard(task)


async def _through(target: Target, source: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carries bytes both ways until the target has ended; a client may end its side before.

    Raises:
        OSError: The target does not answer, or a side broke off.
        TimeoutError: The target does not answer.
    """
    async with asyncio.timeout(_CONNECT_SECONDS):
        behind, to_target = await asyncio.open_connection(
            target.host, target.port, limit=_CHUNK_BYTES, local_addr=(source, 0)
        )
    there, back = asyncio.create_task(_carry(reader, to_target)), asyncio.create_task(_carry(behind, writer))
    try:
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        if there.done():
            there.result()
        # What a client sends after its target's end would reach nobody: the connection is over.
        await back
    finally:
        there.cancel()
        back.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        to_target.close()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK_BYTES):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():
        with suppress(OSError):
            sink.write_eof()
