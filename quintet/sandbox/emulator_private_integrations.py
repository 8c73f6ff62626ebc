"""Requests of HTTP APIs through a VPC link; see `emulator_gaps` for the rules of these functions."""

import contextvars
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from quintet.sandbox.emulator_gaps import Record, found, replace
from quintet.sandbox.emulator_reachability import Reachability
from quintet.sandbox.emulator_vpc_links import VpcLinks

if TYPE_CHECKING:
    import aiohttp

Answer = tuple[int, dict[str, Any], bytes]

BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request, and of an answer, that an HTTP API carries (quotas of HTTP APIs: payload size, 10 MB)."""

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 30.0
"""How long an idle connection is kept: less than nginx does, which would close it while a request is on its way."""

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade"}
)  # fmt: skip
"""What belongs to one connection (RFC 9110, 7.6.1)."""

_OF_THIS_SERVER = frozenset({"content-length", "date", "server"})
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~-._"
_NEEDED = "a service in a private network has its public address through a VPC link"

raw_query: contextvars.ContextVar[str | None] = contextvars.ContextVar("raw_query", default=None)
"""The query of the request as the client wrote it, where that is known."""


def reach_private_integrations(links: VpcLinks, addresses: Path | None, record: Record) -> None:
    """1.5.33 takes the ARN of a listener for a URL, and gives the client nothing of an answer but its body and type.

    Args:
        links: The links that there are.
        addresses: The file with the addresses of listeners, by ARN; without one no listener is open.
        record: Told of what security groups refuse.
    """
    forward = _Forwarder(Reachability(links, addresses, record))

    def build(original: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        async def invoke(  # noqa: PLR0917  ministack's signature
            integration: dict[str, Any],
            path: str,
            method: str,
            headers: dict[str, str],
            body: bytes,
            query: Any,  # noqa: ANN401
        ) -> Answer:
            if integration.get("connectionType") != "VPC_LINK":
                return await original(integration, path, method, headers, body, query)
            return await forward(_Request(integration, path, method, headers, body or b"", query))

        return invoke

    replace("services.apigateway", "_invoke_http_proxy", build, needed=_NEEDED)
    _know_the_clients_address()


def _know_the_clients_address() -> None:
    """1.5.33 does not know `$context.identity.sourceIp` in the parameters of a request."""
    origin = found("core.iam_evaluator", "_request_origin", needed=_NEEDED)

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(integration: dict[str, Any], *, context_vars: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401
            known = {**context_vars, "identity.sourceIp": origin.get()[0]}
            return original(integration, context_vars=known, **options)

        return apply

    replace("services.apigateway", "_apply_request_parameter_mappings", build, needed=_NEEDED)


@dataclass(frozen=True)
class _Request:
    """One request, with the parameters of its integration applied."""

    integration: Mapping[str, Any]
    path: str
    method: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, Any]

    @property
    def target(self) -> str:
        """Path and query; the query is the client's own, unless the integration may change it."""
        path = quote(self.path, safe=_PATH_CHARACTERS)
        changed = any(":querystring." in name for name in self.integration.get("requestParameters") or {})
        raw = raw_query.get()
        query = urlencode(self.query, doseq=True) if changed or raw is None else raw
        return f"{path}?{query}" if query else path

    @property
    def seconds(self) -> float:
        """How long the answer may take."""
        return float(self.integration.get("timeoutInMillis", 30_000)) / 1000

    def sent(self) -> dict[str, str]:
        """The headers that go on."""
        named = {name.strip().lower() for name in self.headers.get("connection", "").split(",")}
        dropped = _HOP_BY_HOP | named | {"content-length", "expect"}
        return {name: value for name, value in self.headers.items() if name.lower() not in dropped}


class _Forwarder:
    """Sends requests on, over connections that are kept."""

    def __init__(self, reachability: Reachability) -> None:
        self._reachability = reachability
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, request: _Request) -> Answer:
        if len(request.body) > BODY_LIMIT:
            return message(413, "Request Entity Too Large")
        reached = self._reachability.of(request.integration)
        if reached.address is None:
            return message(reached.status, "Service Unavailable" if reached.status == 503 else "Internal Server Error")  # noqa: PLR2004  HTTP
        return await self._send(request, reached.address)

    async def _send(self, request: _Request, address: str) -> Answer:
        import aiohttp  # noqa: PLC0415  a quarter of a second that a sandbox without VPC links does not wait for
        from yarl import URL  # noqa: PLC0415  as above

        url = URL(f"http://{address}{request.target}", encoded=True)
        limit = aiohttp.ClientTimeout(total=request.seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._connections().request(
                request.method, url, headers=request.sent(), data=request.body or None, timeout=limit,
                allow_redirects=False,
            ) as response:  # fmt: skip
                return await _answer(response)
        except (TimeoutError, aiohttp.ClientError, OSError):
            self._reachability.forget_addresses()
            return message(503, "Service Unavailable")

    def _connections(self) -> "aiohttp.ClientSession":
        import aiohttp  # noqa: PLC0415  as above

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                trust_env=False,
            )
        return self._session


async def _answer(response: "aiohttp.ClientResponse") -> Answer:
    body = await response.content.read(BODY_LIMIT + 1)
    while len(body) <= BODY_LIMIT and not response.content.at_eof():
        body += await response.content.read(BODY_LIMIT + 1 - len(body))
    if len(body) > BODY_LIMIT:
        return message(500, "Internal Server Error")
    dropped = _HOP_BY_HOP | _OF_THIS_SERVER
    headers: dict[str, Any] = {}
    for name, value in response.headers.items():
        if name.lower() not in dropped:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return response.status, headers, body


def message(status: int, text: str) -> Answer:
    """An answer of the API itself."""
    return status, {"Content-Type": "application/json"}, json.dumps({"message": text}).encode()
