"""Plays the part of nginx where the machine has none.

Least connections, one more try elsewhere, weighted variants kept to a caller, what is answered by nginx itself.
SIGHUP reads the configuration anew, SIGTERM finishes what is under way. Everything else is told by `nginx_rules`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import aiohttp
from aiohttp import web

from quintet.sandbox.kubernetes.nginx_rules import Location, Rules, Server, read_rules

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=1, sock_read=28)
_ELSEWHERE = (502, 503)
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"})
_DRAIN_SECONDS = 28.0


class Proxy:
    """Answers as a configuration says."""

    def __init__(self, path: Path) -> None:
        """Reads the configuration."""
        self._path = path
        self.rules = read_rules(path.read_text())
        self._session: aiohttp.ClientSession

    def reload(self) -> None:
        """Reads the configuration anew; what is under way goes on by the old one."""
        self.rules = read_rules(self._path.read_text())

    async def run(self) -> None:
        """Serves until SIGTERM."""
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, end.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        application = web.Application(client_max_size=self.rules.body_bytes)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_DRAIN_SECONDS, auto_decompress=False)
        await runner.setup()
        async with aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False) as self._session:
            await web.TCPSite(runner, *self.rules.listen).start()
            Path(self.rules.pid_file).write_text(f"{os.getpid()}\n")  # noqa: ASYNC240  once, before anybody asks
            await end.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        rules = self.rules
        location = rules.location(request.path)
        if location is None:
            return web.json_response({"title": "Not Found", "status": 404}, status=404)
        variables = _variables(rules, request)
        headers = {name: rules.filled(value, variables) for name, value in location.headers}
        if location.answer:
            status, text = location.answer
            return web.Response(status=status, text=rules.filled(text, variables), headers=headers)
        body = await request.read()
        return await self._elsewhere(rules, location, request, body, variables, headers)

    async def _elsewhere(  # noqa: PLR0917  what one request is made of
        self,
        rules: Rules,
        location: Location,
        request: web.Request,
        body: bytes,
        variables: dict[str, str],
        headers: dict[str, str],
    ) -> web.StreamResponse:
        name, slash, path = rules.filled(location.proxy, variables).partition("://")[2].partition("/")
        tried: list[Server] = []
        last = web.Response(status=502, text='{"title":"Bad Gateway","status":502}', content_type="application/json")
        for _ in range(rules.tries):
            server = _least(rules.upstreams.get(name, ()), tried)
            if server is None:
                break
            tried.append(server)
            target = request.raw_path.replace(location.path, f"/{path}", 1) if slash else request.raw_path
            last = await self._ask(server, target, request, body) or last
            if last.status not in _ELSEWHERE:
                break
        last.headers.update(headers)
        return last

    async def _ask(self, server: Server, target: str, request: web.Request, body: bytes) -> web.Response | None:
        """The answer of one server; None when it gives none."""
        server.active, server.asked = server.active + 1, server.asked + 1
        sent = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        url = f"http://{server.host}:{server.port}{target}"
        try:
            async with self._session.request(
                request.method, url, data=body, headers=sent, allow_redirects=False
            ) as answer:
                kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
                response = web.Response(status=answer.status, body=await answer.read())
                response.headers.extend(kept)
                return response
        except (aiohttp.ClientError, TimeoutError):
            return None
        finally:
            server.active -= 1


def _least(servers: Iterable[Server], tried: list[Server]) -> Server | None:
    """The server with the fewest requests under way that was not asked yet."""
    left = [server for server in servers if server not in tried]
    return min(left, key=lambda server: (server.active, server.asked), default=None)


def _variables(rules: Rules, request: web.Request) -> dict[str, str]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    caller = rules.caller(request.remote or "127.0.0.1", headers)
    named = {f"http_{name.replace('-', '_')}": value for name, value in headers.items()}
    own = {"remote_addr": caller, "uri": request.path, "request_method": request.method, "host": request.host}
    return {**named, **own}


def main(path: str) -> None:
    """Serves by the configuration of a path."""
    asyncio.run(Proxy(Path(path)).run())
