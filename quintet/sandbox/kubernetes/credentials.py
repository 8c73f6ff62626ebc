"""EKS Pod Identity: credentials of the role that an association gives a ServiceAccount, fetched by the pod's SDK.

The protocol is that of container credentials (AWS SDKs and Tools Reference Guide, "Container credential provider"): a
GET with the content of a token file as Authorization. A pod gets both by its environment, and only where there is an
association when it starts, as on EKS.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from quintet.sandbox.ports import HOST

if TYPE_CHECKING:
    from quintet.sandbox.functions import Credentials

_log = logging.getLogger("quintet")
Assume = Callable[[str, str], "Credentials"]
"""Temporary credentials of a role, for a session name; blocks; raises when the role may not be assumed."""

_RENEW_BEFORE = timedelta(minutes=10)
_PATH = "/v1/credentials"


@dataclass(frozen=True, kw_only=True)
class Association:
    """A role for a ServiceAccount of a cluster."""

    cluster: str
    namespace: str
    service_account: str
    role_arn: str


@dataclass(frozen=True, kw_only=True)
class _Holder:
    role_arn: str
    session: str


class PodIdentity:
    """Associations, tokens, and the endpoint that answers the pods' SDKs."""

    def __init__(self, assume: Assume) -> None:
        """Nothing listens before `start`."""
        self._assume = assume
        self._associations: dict[str, Association] = {}
        self._holders: dict[str, _Holder] = {}
        self._known: dict[_Holder, Credentials] = {}
        self._fetching = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listens on a free port of 127.0.0.1."""
        application = web.Application()
        application.router.add_get(_PATH, self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}{_PATH}"

    async def stop(self) -> None:
        """Answers no more."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def put(self, id_: str, association: Association) -> None:
        """Makes or changes an association; pods that start from now on have it."""
        self._associations[id_] = association

    def remove(self, id_: str) -> None:
        """Forgets it."""
        self._associations.pop(id_, None)

    def role_of(self, namespace: str, service_account: str) -> str | None:
        """The role of a ServiceAccount."""
        found = (
            each.role_arn
            for each in self._associations.values()
            if (each.namespace, each.service_account) == (namespace, service_account)
        )
        return next(found, None)

    def issue(self, role_arn: str, pod: str) -> str:
        """A token that stands for a pod's right to a role."""
        token = secrets.token_urlsafe(32)
        self._holders[token] = _Holder(role_arn=role_arn, session=f"eks-sandbox-{pod}")
        return token

    def withdraw(self, pod: str) -> None:
        """The pod is gone, and with it its tokens."""
        session = f"eks-sandbox-{pod}"
        gone = [token for token, holder in self._holders.items() if holder.session == session]
        for token in gone:
            self._known.pop(self._holders.pop(token), None)

    async def _answer(self, request: web.Request) -> web.Response:
        holder = self._holder(request.headers.get("Authorization", ""))
        if holder is None:
            return _refusal(401, "Unauthorized", "the token is not one that this sandbox has given to a pod")
        try:
            credentials = await self._credentials(holder)
        except Exception as error:  # noqa: BLE001  whatever STS says is what the SDK is told
            _log.warning("the role %s cannot be assumed: %s", holder.role_arn, error)
            return _refusal(400, "AccessDeniedException", f"the role {holder.role_arn} cannot be assumed: {error}")
        return web.json_response(
            {
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key,
                "Token": credentials.session_token,
                "AccountId": holder.role_arn.split(":")[4],
                "Expiration": credentials.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    def _holder(self, given: str) -> _Holder | None:
        for token, holder in self._holders.items():
            if hmac.compare_digest(token.encode(), given.encode("utf-8", "replace")):
                return holder
        return None

    async def _credentials(self, holder: _Holder) -> Credentials:
        """Of the role, used again until ten minutes before they expire."""
        async with self._fetching:
            known = self._known.get(holder)
            if known is None or known.expires_at - datetime.now(UTC) < _RENEW_BEFORE:
                known = await asyncio.to_thread(self._assume, holder.role_arn, holder.session)
                self._known[holder] = known
            return known


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"Code": code, "Message": message}, status=status)
