"""A client of the API server: what Pulumi's provider does with an object, and the server's answer to it."""

import copy
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.cluster.servers import Access

Object = dict[str, Any]
MANAGER = "quintet"
STRICT = {"fieldValidation": "Strict", "fieldManager": MANAGER}


class RefusedError(Exception):
    """The server took an object not; the message is its own.

    Attributes:
        status: The answer's HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Api:
    """The API of one cluster.

    Attributes:
        http: Reaches it.
        warnings: What the server said of objects that it did take.
    """

    http: httpx.Client
    warnings: list[str] = field(default_factory=list)
    _kinds: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)

    @classmethod
    def at(cls, access: Access) -> "Api":
        headers = {"Authorization": f"Bearer {access.token}"}
        return cls(httpx.Client(base_url=access.url, headers=headers, verify=access.trust, timeout=30))

    def create(self, given: Object, *, dry_run: bool = False) -> Object:
        """A new object, every field of which the server must know."""
        parameters = STRICT | ({"dryRun": "All"} if dry_run else {})
        return self._send("POST", self._collection(given), params=parameters, json=given)

    def apply(self, given: Object) -> Object:
        """Server-side apply: what Pulumi's provider does, at first and at every update."""
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return self._send("PATCH", self._path(given), params=STRICT, json=given, headers=headers)

    def read(self, given: Object) -> Object:
        return self._send("GET", self._path(given))

    def delete(self, given: Object) -> None:
        """Deletes at once: a namespace too, which without controllers would wait for one for ever."""
        self._send("DELETE", self._path(given), params={"propagationPolicy": "Background", "gracePeriodSeconds": 0})
        if given["kind"] == "Namespace":
            finalised = copy.deepcopy(self.read(given))
            finalised["spec"]["finalizers"] = []
            self._send("PUT", f"{self._path(given)}/finalize", json=finalised)

    def _path(self, given: Object) -> str:
        return f"{self._collection(given)}/{given['metadata']['name']}"

    def _collection(self, given: Object) -> str:
        version, kind = given["apiVersion"], given["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        plural, namespaced = self._kind(root, kind)
        namespace = given["metadata"].get("namespace")
        if not namespaced:
            return f"{root}/{plural}"
        return f"{root}/namespaces/{namespace or 'default'}/{plural}"

    def _kind(self, root: str, kind: str) -> tuple[str, bool]:
        if root not in self._kinds:
            self._kinds[root] = self._served(root)
        if kind not in self._kinds[root]:
            raise RefusedError(404, f"{root} knows no {kind}")
        return self._kinds[root][kind]

    def _served(self, root: str) -> dict[str, tuple[str, bool]]:
        try:
            found = self._send("GET", root)["resources"]
        except RefusedError as refused:
            raise RefusedError(refused.status, f"the server has no {root.partition('/apis/')[2]}") from refused
        return {item["kind"]: (item["name"], item["namespaced"]) for item in found if _main(item)}

    def _send(self, method: str, path: str, **request: Any) -> Object:
        answer = self.http.request(method, path, **request)
        self.warnings += answer.headers.get_list("Warning")
        if answer.is_success:
            return dict(answer.json())
        if answer.headers["Content-Type"] == "application/json":
            raise RefusedError(answer.status_code, answer.json()["message"])
        raise RefusedError(answer.status_code, f"{path}: {answer.text.strip()}")


def _main(item: dict[str, Any]) -> bool:
    return "/" not in item["name"]  # deployments, and not deployments/status
