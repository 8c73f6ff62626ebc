"""Who calls: nobody in particular, the holder of an API key, or the subject of a token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Protocol

import jwt
from aws_lambda_powertools import Logger

from services.common.errors import Unauthorized
from services.sentiment.key_set import KeySet
from services.sentiment.settings import Settings

API_KEY_HEADER = "x-api-key"
CLIENT_ADDRESS_HEADER = "x-real-ip"
"""Set by nginx, which overwrites what a client sends; the network policy admits nobody but nginx."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Public keys only: with HS256 allowed, whoever knows the issuer's public key could sign with it as a secret."""
LEEWAY_SECONDS = 30
"""What the clocks of the issuer and of this machine may differ by."""
MAX_IDENTITY_CHARACTERS = 256


class Authorization(Protocol):
    """A way to find out who calls."""

    async def identify(self, headers: Mapping[str, str], client: str) -> str:
        """The caller's identity, which limits are counted for.

        Args:
            headers: The request's, names in lower case.
            client: The address of the connection's other end.

        Raises:
            Unauthorized: The caller has not shown who it is.
            AuthorizationUnavailable: It cannot be checked now.
        """
        ...


class Anybody:
    """Who calls is of no interest: limits are counted for the client's address."""

    async def identify(self, headers: Mapping[str, str], client: str) -> str:
        """See `Authorization`."""
        return headers.get(CLIENT_ADDRESS_HEADER, client)[:MAX_IDENTITY_CHARACTERS]


class ApiKeys:
    """The holders of keys; the name of a key is the identity. Only hashes of keys are known here."""

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._digests = {name: bytes.fromhex(digest) for name, digest in digests.items()}

    async def identify(self, headers: Mapping[str, str], client: str) -> str:  # noqa: ARG002 - the protocol's
        """See `Authorization`."""
        challenge = 'ApiKey realm="sentiment"'
        offered = headers.get(API_KEY_HEADER)
        if not offered:
            raise Unauthorized("Send your key in the header X-Api-Key.", challenge=challenge)
        digest = hashlib.sha256(offered.encode("latin-1")).digest()
        # All are compared, each in constant time: how long it takes tells nothing about any.
        found = [name for name, known in self._digests.items() if hmac.compare_digest(known, digest)]
        if not found:
            raise Unauthorized(
                "The key in X-Api-Key is not known; check it, or ask for a new one.", challenge=challenge
            )
        return found[0]


class Tokens:
    """The subjects of tokens (JWT) that one issuer signed for one of these audiences."""

    def __init__(self, keys: KeySet, *, issuer: str, audiences: Sequence[str]) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audiences = list(audiences)

    async def identify(self, headers: Mapping[str, str], client: str) -> str:  # noqa: ARG002 - the protocol's
        """See `Authorization`."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Send a token: Authorization: Bearer TOKEN.", challenge='Bearer realm="sentiment"')
        try:
            key = await self._keys.find(_key_id(token))
            return self._subject(token.strip(), key)
        except jwt.PyJWTError as error:
            raise _invalid(_REASONS.get(type(error), "The token is not valid.")) from error

    def _subject(self, token: str, key: jwt.PyJWK | None) -> str:
        if key is None:
            raise jwt.InvalidSignatureError
        claims = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=self._issuer,
            audience=self._audiences,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        return str(claims["sub"])[:MAX_IDENTITY_CHARACTERS]


_REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "The token has expired; get a new one.",
    jwt.InvalidAudienceError: "The token was issued for another audience.",
    jwt.InvalidIssuerError: "The token comes from another issuer.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.MissingRequiredClaimError: "The token lacks one of the claims exp, iss, aud, sub.",
    jwt.InvalidSignatureError: "The token is not signed with a key of its issuer.",
    jwt.InvalidAlgorithmError: f"The token is not signed with one of {', '.join(ALGORITHMS)}.",
    jwt.DecodeError: "The token is no JWT.",
}


def _key_id(token: str) -> str:
    header = jwt.get_unverified_header(token.strip())
    if header.get("alg") not in ALGORITHMS:
        raise jwt.InvalidAlgorithmError
    if "kid" not in header:
        raise jwt.InvalidSignatureError
    return str(header["kid"])


def _invalid(reason: str) -> Unauthorized:
    challenge = f'Bearer realm="sentiment", error="invalid_token", error_description="{reason}"'
    return Unauthorized(reason, challenge=challenge)


def authorization(settings: Settings, *, logger: Logger) -> Authorization:
    """The way that the settings name."""
    match settings.authorization:
        case "none":
            return Anybody()
        case "api_key":
            return ApiKeys(settings.api_keys)
        case "jwt":
            url = settings.jwks_url or f"{settings.jwt_issuer.rstrip('/')}/.well-known/jwks.json"
            keys = KeySet(url, logger=logger)
            return Tokens(keys, issuer=settings.jwt_issuer, audiences=settings.jwt_audiences)
