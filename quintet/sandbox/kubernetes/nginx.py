"""The declared nginx.conf as the nginx of this machine takes it: a stand-in for cluster DNS and a pod's network.

What is written otherwise, and nothing else:
- `server NAME.NAMESPACE.svc...:PORT resolve` of an upstream becomes a server for each ready pod of that Service, as an
  older nginx knows no `resolve` (1.27.3 has it); the configuration is written anew and loaded when the pods change;
- `resolver` and `resolver_timeout` go, as nobody answers there;
- `listen` gets the pod's address, as pods share this machine's network, and `[::]` goes;
- `set_real_ip_from` trusts the sandbox's load balancers, too: theirs are no addresses of the declared networks;
- paths of mounts and below /tmp are those of the pod's folders; `pid` is one of them;
- `user` goes, and for root becomes `root`, whose folders the workers have to read;
- `keepalive_timeout` becomes 0: a reload closes idle connections, and a client that writes at that moment loses its
  request. With `resolve` there is no reload.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quintet.sandbox.kubernetes.errors import InvalidObjectError

Endpoints = Callable[[str, int], list[tuple[str, int]]]
"""Address and port of each ready pod of a Service, given its name in the cluster's DNS and the port."""

NOBODY = "server 127.0.0.1:1 down;"
"""An upstream needs a server; this one answers 502 as one whose name resolves to nothing."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n]*)|(?P<mark>[{};])|(?P<word>(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|"""
    r"""(?:\\.|\$\{[^}]*\}|[^\s{};"'\\\#]|(?<=[^\s{};])\#))+)""",
    re.VERBOSE | re.DOTALL,
)
_HOST_PORT = re.compile(r"(?P<host>[^:\[\]]+):(?P<port>\d+)")
_GONE = frozenset({"resolver", "resolver_timeout", "user", "pid"})
_LISTEN_PORT = re.compile(r"(?:(?P<host>\*|\d+\.\d+\.\d+\.\d+|localhost):)?(?P<port>\d+)")


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the translation needs to know of the pod.

    Attributes:
        address: The pod's.
        balancer: From where load balancers connect.
        pid_file: Where nginx writes its number.
        local: A text of the configuration with the container's paths as this machine's.
        endpoints: The pods of a Service.
        as_root: Whether nginx is started by root.
    """

    address: str
    balancer: str
    pid_file: str
    local: Callable[[str], str]
    endpoints: Endpoints
    as_root: bool


@dataclass(frozen=True)
class Statement:
    """A directive: its words, where it stands in the text, and in which block."""

    words: tuple[str, ...]
    start: int
    end: int
    blocks: tuple[str, ...]


def statements(text: str) -> Iterator[Statement]:
    """The directives of a configuration, blocks and their contents, in the order of the text.

    Raises:
        InvalidObjectError: The text breaks off or has a brace too many.
    """
    words: list[str] = []
    blocks: list[str] = []
    start = position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise InvalidObjectError(f"nginx.conf, line {_line(text, position)}: cannot be read from here on")
        if match["word"]:
            start = start if words else position
            words.append(match["word"])
        elif match["mark"]:
            if match["mark"] == "}":
                if not blocks or words:
                    raise InvalidObjectError(f'nginx.conf, line {_line(text, position)}: unexpected "}}"')
                blocks.pop()
            else:
                yield Statement(tuple(words), start, match.end(), tuple(blocks))
                if match["mark"] == "{":
                    blocks.append(words[0] if words else "")
            words = []
        position = match.end()
    if words or blocks:
        raise InvalidObjectError('nginx.conf: unexpected end of file, expecting ";" or "}"')


def translate(text: str, place: Place) -> str:
    """The configuration for this machine.

    Raises:
        InvalidObjectError: It cannot be read.
    """
    made, position = "", 0
    for statement in statements(text):
        replacement = _replacement(statement, place)
        if replacement is not None:
            made += place.local(text[position : statement.start]) + replacement
            position = statement.end
    head = f"pid {place.pid_file};\n" + ("user root;\n" if place.as_root else "")
    return head + made + place.local(text[position:])


def _replacement(statement: Statement, place: Place) -> str | None:
    """What a directive becomes; None where it stays."""
    name = statement.words[0] if statement.words else ""
    if name == "server" and statement.blocks[-1:] == ("upstream",):
        return _upstream_server(statement.words[1:], place)
    if name == "http" and not statement.blocks:
        return "http { keepalive_timeout 0;"
    if name == "listen":
        return _listen(statement.words[1:], place)
    if name == "set_real_ip_from":
        return f"set_real_ip_from {statement.words[1]}; set_real_ip_from {place.balancer};"
    if name == "keepalive_timeout" and "upstream" not in statement.blocks:
        return ""
    return "" if name in _GONE else None


def _upstream_server(words: tuple[str, ...], place: Place) -> str | None:
    found = _HOST_PORT.fullmatch(words[0]) if words else None
    if found is None or "resolve" not in words:
        return None
    rest = " ".join(word for word in words[1:] if word != "resolve" and not word.startswith("service="))
    servers = [
        f"server {host}:{port} {rest}".rstrip() for host, port in place.endpoints(found["host"], int(found["port"]))
    ]
    return " ".join(f"{server};" for server in servers) or NOBODY


def _listen(words: tuple[str, ...], place: Place) -> str | None:
    if words[0].startswith("["):
        return ""
    found = _LISTEN_PORT.fullmatch(words[0])
    return f"listen {' '.join((f'{place.address}:{found[2]}', *words[1:]))};" if found else None


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
