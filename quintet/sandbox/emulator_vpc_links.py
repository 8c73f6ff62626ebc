"""VPC links of HTTP APIs, which ministack lacks; see `emulator_gaps` for the rules of these functions.

How a request goes through one is in `emulator_private_integrations`.
"""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from quintet.sandbox.emulator_gaps import found, replace

Answer = tuple[int, dict[str, Any], bytes]

_PATH = ("v2", "vpclinks")
_NEEDED = "a service in a private network has its public address through a VPC link"


class VpcLinks:
    """The links of every account and region; their state is saved with that of the service."""

    def __init__(self) -> None:
        self.records: Any = found("core.responses", "AccountRegionScopedDict", needed=_NEEDED)()
        self._answer: Callable[..., Answer] = found("services.apigateway", "_apigw_response", needed=_NEEDED)
        self._error: Callable[..., Answer] = found("services.apigateway", "_apigw_error", needed=_NEEDED)
        self._region = found("core.responses", "get_region", needed=_NEEDED)
        self._tags = found("services.apigateway", "_api_tags", needed=_NEEDED)
        self._new_id = found("core.responses", "new_uuid", needed=_NEEDED)

    def arn(self, id_: str) -> str:
        """What tags are given to."""
        return f"arn:aws:apigateway:{self._region()}::/vpclinks/{id_}"

    def handle(self, method: str, id_: str, given: dict[str, Any]) -> Answer:
        """One call of CreateVpcLink, GetVpcLinks, GetVpcLink, UpdateVpcLink or DeleteVpcLink."""
        if not id_:
            return self._create(given) if method == "POST" else self._answer({"items": list(self.records.values())})
        if id_ not in self.records:
            return self._error("NotFoundException", f"VPC link {id_} not found", 404)
        if method == "DELETE":
            del self.records[id_]
            self._tags.pop(self.arn(id_), None)
            return 202, {}, b""
        if method == "PATCH" and given.get("name"):
            self.records[id_]["name"] = given["name"]
        return self._answer({**self.records[id_], "tags": self._tags.get(self.arn(id_), {})})

    def _create(self, given: dict[str, Any]) -> Answer:
        id_ = str(self._new_id()).replace("-", "")[:6]
        self.records[id_] = record = {
            "vpcLinkId": id_,
            "name": given["name"],
            "subnetIds": given["subnetIds"],
            "securityGroupIds": given.get("securityGroupIds", []),
            "createdDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "vpcLinkStatus": "AVAILABLE",
            "vpcLinkVersion": "V2",
        }
        self._tags[self.arn(id_)] = given.get("tags", {})
        return self._answer({**record, "tags": given.get("tags", {})}, 201)


def have_vpc_links() -> VpcLinks:
    """1.5.33 has no VPC links, and forgets which one an integration goes through."""
    links = VpcLinks()
    replace("services.apigateway", "handle_request", lambda original: _with_links(original, links), needed=_NEEDED)
    replace("services.apigateway", "get_state", lambda original: _saving(original, links), needed=_NEEDED)
    replace("services.apigateway", "load_persisted_state", lambda original: _loading(original, links), needed=_NEEDED)
    _tag_links(links)
    _keep_the_link_of_integrations()
    return links


def _with_links(original: Callable[..., Awaitable[Answer]], links: VpcLinks) -> Callable[..., Awaitable[Answer]]:
    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Answer:  # noqa: ANN401  handed on
        parts = path.strip("/").split("/")
        if tuple(parts[:2]) == _PATH:
            return links.handle(method, unquote("/".join(parts[2:])), json.loads(body) if body else {})
        return await original(method, path, headers, body, query)

    return handle


def _saving(original: Callable[[], dict[str, Any]], links: VpcLinks) -> Callable[[], dict[str, Any]]:
    return lambda: {**original(), "vpc_links": links.records}


def _loading(original: Callable[[dict[str, Any]], None], links: VpcLinks) -> Callable[[dict[str, Any]], None]:
    def load(saved: dict[str, Any]) -> None:
        original(saved)
        links.records.update((saved or {}).get("vpc_links", {}))

    return load


def _tag_links(links: VpcLinks) -> None:
    def build(original: Callable[[str], Any]) -> Callable[[str], Any]:
        def validate(arn: str) -> Any:  # noqa: ANN401  handed on
            is_link = arn.partition("/vpclinks/")[2] in links.records
            return (arn, None) if is_link else original(arn)

        return validate

    replace("services.apigateway", "_validate_tag_resource_arn", build, needed=_NEEDED)


def _keep_the_link_of_integrations() -> None:
    integrations = found("services.apigateway", "_integrations", needed=_NEEDED)

    def build_create(original: Callable[..., Answer]) -> Callable[..., Answer]:
        def create(api_id: str, given: dict[str, Any]) -> Answer:
            return _linked(original(api_id, given), api_id, given)

        return create

    def build_update(original: Callable[..., Answer]) -> Callable[..., Answer]:
        def update(api_id: str, id_: str, given: dict[str, Any]) -> Answer:
            return _linked(original(api_id, id_, given), api_id, given)

        return update

    def _linked(answer: Answer, api_id: str, given: dict[str, Any]) -> Answer:
        status, headers, body = answer
        if status not in {200, 201} or "connectionId" not in given:
            return answer
        shown = json.loads(body)
        integrations[api_id][shown["integrationId"]]["connectionId"] = given["connectionId"]
        return status, headers, json.dumps({**shown, "connectionId": given["connectionId"]}).encode()

    replace("services.apigateway", "_create_integration", build_create, needed=_NEEDED)
    replace("services.apigateway", "_update_integration", build_update, needed=_NEEDED)
