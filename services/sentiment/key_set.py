"""The public keys of an issuer of tokens, fetched beside the event loop and kept while the issuer is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from jwt import PyJWK, PyJWKClient, PyJWKSet, PyJWTError

from services.common.errors import AuthorizationUnavailable

FRESH_SECONDS = 300.0
"""Keys of this age are used as they are; older ones are used while new ones are fetched."""
TRUSTED_SECONDS = 86_400.0
"""Keys of this age are used no more, however long the issuer is away: one may have been revoked."""
COOLDOWN_SECONDS = 5.0
"""Between two fetches, so that tokens with invented key ids cannot make this service an attack on the issuer."""
_TIMEOUT_SECONDS = 3.0


class KeySet:
    """Keys by their ids. One fetch at a time, whoever asks for it."""

    def __init__(self, url: str, *, logger: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        """Fetches nothing yet.

        Args:
            url: The issuer's JWKS document.
            logger: Where a failed fetch is told.
            clock: Seconds that only grow.
        """
        # Only for its fetch (no redirects, http and https only): its cache forgets the keys when the issuer is away.
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)
        self._logger = logger
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = -TRUSTED_SECONDS
        self._tried_at = -COOLDOWN_SECONDS
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> PyJWK | None:
        """The key of this id, or None where the issuer knows no such key.

        Raises:
            AuthorizationUnavailable: It cannot be known now, as the issuer does not answer.
        """
        age = self._clock() - self._fetched_at
        if age >= TRUSTED_SECONDS:
            self._keys = {}
        key = self._keys.get(key_id)
        if key is None:
            await self._refresh()
            key = self._keys.get(key_id)
        elif age >= FRESH_SECONDS:
            self._begin()
        if key is None and (self._failed or not self._keys):
            raise AuthorizationUnavailable(
                "The keys of the token's issuer cannot be read now; try again.", retry_after_seconds=5
            )
        return key

    async def _refresh(self) -> None:
        fetching = self._begin()
        if fetching is not None:
            # Shared with other requests: one that is cancelled must not take the others' keys with it.
            await asyncio.shield(fetching)

    def _begin(self) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one where the last is long enough ago."""
        if self._fetching is None and self._clock() - self._tried_at >= COOLDOWN_SECONDS:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            document: dict[str, Any] = await asyncio.to_thread(self._client.fetch_data)
            found = {key.key_id: key for key in PyJWKSet.from_dict(document).keys if _signs(key)}
            self._keys = {key_id: key for key_id, key in found.items() if key_id is not None}
            self._fetched_at, self._failed = self._clock(), False
        except (PyJWTError, OSError, ValueError) as error:
            self._failed = True
            self._logger.warning("The issuer's keys cannot be read", extra={"reason": type(error).__name__})
        finally:
            self._fetching = None


def _signs(key: PyJWK) -> bool:
    return key.public_key_use in {"sig", None}
