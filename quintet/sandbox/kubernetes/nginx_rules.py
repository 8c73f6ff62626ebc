"""What a translated nginx.conf says, as far as the sandbox's own proxy plays it: upstreams, variables, locations.

Not played: compression, rate limits, caches, time-outs but the proxy's own. The real nginx has all of it; where the
machine has none, `quintet status` says that this stands in for it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from quintet.sandbox.kubernetes.nginx import Statement, statements

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SIZES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@dataclass(eq=False)
class Server:
    """One server of an upstream: how many requests it has under way, and had in all."""

    host: str
    port: int
    active: int = 0
    asked: int = 0


@dataclass
class Location:
    """Where some paths go."""

    kind: str
    path: str
    proxy: str = ""
    answer: tuple[int, str] | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)

    def matches(self, path: str) -> bool:
        """Whether it is meant for a path."""
        return path == self.path if self.kind == "=" else self.kind != "@" and path.startswith(self.path)


@dataclass
class Rules:
    """The whole configuration.

    Attributes:
        listen: Address and port.
        tries: How many servers are asked at most.
        body_bytes: The largest body.
        pid_file: Where the process writes its number.
    """

    listen: tuple[str, int] = ("127.0.0.1", 8080)
    pid_file: str = ""
    tries: int = 2
    body_bytes: int = 1024 * 1024
    trusted: list[str] = field(default_factory=list)
    address_header: str = ""
    upstreams: dict[str, list[Server]] = field(default_factory=dict)
    maps: dict[str, tuple[str, list[tuple[str, str]]]] = field(default_factory=dict)
    splits: dict[str, tuple[str, list[tuple[str, str]]]] = field(default_factory=dict)
    locations: list[Location] = field(default_factory=list)

    def location(self, path: str) -> Location | None:
        """The exact one, else the longest."""
        found = [each for each in self.locations if each.matches(path)]
        return max(found, key=lambda each: (each.kind == "=", len(each.path)), default=None)

    def caller(self, peer: str, headers: Mapping[str, str]) -> str:
        """Who calls: whom a trusted peer names, else the peer."""
        named = headers.get(self.address_header, "") if self.address_header else ""
        trusted = any(ip_address(peer) in ip_network(network, strict=False) for network in self.trusted)
        return named if named and trusted else peer

    def filled(self, text: str, request: Mapping[str, str]) -> str:
        """A text with its variables."""
        return _VARIABLE.sub(lambda match: self._value(match[1] or match[2], request), text)

    def _value(self, name: str, request: Mapping[str, str]) -> str:
        if name in self.splits:
            key, shares = self.splits[name]
            return _share(self.filled(key, request), shares)
        if name in self.maps:
            source, entries = self.maps[name]
            return self.filled(_mapped(self.filled(source, request), entries), request)
        if name == "request_id":
            return uuid.uuid4().hex
        return request.get(name, "")


def read_rules(text: str) -> Rules:
    """Read a configuration."""
    rules = Rules()
    named = ""
    for statement in statements(text):
        words = tuple(_bare(word) for word in statement.words)
        block = statement.blocks[-1] if statement.blocks else ""
        if block in {"upstream", "map", "split_clients"}:
            _entry(rules, block, named, words)
        elif words and words[0] in {"upstream", "map", "split_clients"}:
            named = words[-1].removeprefix("$")
            _begin(rules, words, named)
        elif block == "location" and rules.locations:
            _of_location(rules.locations[-1], words)
        else:
            _directive(rules, statement, words)
    return rules


def _begin(rules: Rules, words: tuple[str, ...], named: str) -> None:
    if words[0] == "upstream":
        rules.upstreams[named] = []
    else:
        (rules.maps if words[0] == "map" else rules.splits)[named] = (words[1], [])


def _entry(rules: Rules, block: str, named: str, words: tuple[str, ...]) -> None:
    if block == "upstream":
        if words[0] == "server" and "down" not in words:
            host, _, port = words[1].partition(":")
            rules.upstreams[named].append(Server(host, int(port or 80)))
        return
    (rules.maps if block == "map" else rules.splits)[named][1].append((words[0], words[1] if len(words) > 1 else ""))


def _of_location(location: Location, words: tuple[str, ...]) -> None:
    if words[0] == "proxy_pass":
        location.proxy = words[1]
    elif words[0] == "return":
        location.answer = int(words[1]), words[2] if len(words) > 2 else ""  # noqa: PLR2004  status and text
    elif words[0] == "add_header":
        location.headers.append((words[1], words[2]))


def _directive(rules: Rules, statement: Statement, words: tuple[str, ...]) -> None:
    name = words[0] if words else ""
    if name == "location":
        kind, path = (words[1], words[2]) if len(words) > 2 else ("@" if words[1][0] == "@" else "", words[1])  # noqa: PLR2004
        rules.locations.append(Location(kind, path))
    elif name == "listen":
        host, _, port = words[1].partition(":")
        rules.listen = host, int(port)
    elif name == "pid":
        rules.pid_file = words[1]
    elif name == "proxy_next_upstream_tries":
        rules.tries = int(words[1])
    elif name == "client_max_body_size":
        rules.body_bytes = int(words[1].rstrip("kmgKMG")) * _SIZES[words[1].lstrip("0123456789").lower()]
    elif name == "set_real_ip_from":
        rules.trusted.append(words[1])
    elif name == "real_ip_header" and statement.blocks:
        rules.address_header = words[1].lower()


def _bare(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def _mapped(value: str, entries: list[tuple[str, str]]) -> str:
    for pattern, result in entries:
        if pattern.startswith("~"):
            if re.search(pattern.lstrip("~*"), value, re.IGNORECASE if pattern.startswith("~*") else 0):
                return result
        elif pattern == value and pattern != "default":
            return result
    return next((result for pattern, result in entries if pattern == "default"), "")


def _share(key: str, shares: list[tuple[str, str]]) -> str:
    """Whose share a key falls into, by nginx's own hash, so that the same callers are in it with nginx and without."""
    place, edge = murmur(key.encode()), 0.0
    for percent, value in shares:
        if percent == "*":
            return value
        edge += float(percent.rstrip("%")) / 100 * 0xFFFFFFFF
        if place < edge:
            return value
    return ""


def murmur(data: bytes) -> int:
    """MurmurHash2 of 32 bits with seed 0, as `split_clients` of nginx has it (https://nginx.org/en/docs/http/)."""
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    made = len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        part = int.from_bytes(data[at : at + 4], "little") * factor & mask
        part = (part ^ part >> 24) * factor & mask
        made = made * factor & mask ^ part
    if rest := data[whole:]:
        made = (made ^ int.from_bytes(rest, "little")) * factor & mask
    made = (made ^ made >> 13) * factor & mask
    return made ^ made >> 15
