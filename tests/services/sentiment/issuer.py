"""An issuer of tokens: real keys, and a real server of their public halves."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "sentiment"


class Issuer:
    """Signs tokens and serves /.well-known/jwks.json while it is up."""

    def __init__(self) -> None:
        self.fetches = 0
        self.delay_seconds = 0.0
        self.body: bytes | None = None
        self._keys: dict[str, tuple[str, Any]] = {}
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.rotate("key-1")
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def rotate(self, key_id: str, algorithm: str = "RS256") -> None:
        """Signs with a new key from now on, and serves no other."""
        made: Any
        if algorithm == "RS256":
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            made = ec.generate_private_key(ec.SECP256R1())
        self._keys = {key_id: (algorithm, made)}

    def token(self, *, key_id: str | None = None, without: str = "", **changes: Any) -> str:
        """A token of the subject `alice`, valid for a minute; `changes` replaces claims."""
        ((known, (algorithm, key)),) = self._keys.items()
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "exp": int(time.time()) + 60} | changes
        claims.pop(without, None)
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": key_id or known})

    def public_key(self) -> Any:
        ((_, key),) = self._keys.values()
        return key.public_key()

    def jwks(self) -> bytes:
        keys = []
        for key_id, (algorithm, key) in self._keys.items():
            maker = jwt.algorithms.get_default_algorithms()[algorithm]
            jwk = maker.to_jwk(key.public_key(), as_dict=True)
            keys.append(jwk | {"kid": key_id, "use": "sig", "alg": algorithm})
        return json.dumps({"keys": keys}).encode()

    def up(self) -> None:
        """Answers, on the same port as before."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                time.sleep(issuer.delay_seconds)
                content = issuer.jwks() if issuer.body is None else issuer.body
                self.send_response(200 if self.path == "/.well-known/jwks.json" else 404)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Refuses connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
