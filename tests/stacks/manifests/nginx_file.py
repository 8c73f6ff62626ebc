"""What nginx's configuration says, as far as it must agree with other objects."""

import re
from dataclasses import dataclass

from tests.stacks.manifests.declared import Declared, Workload

FILE = "nginx.conf"


@dataclass(frozen=True)
class Nginx:
    """The front of a service.

    Attributes:
        workload: Whose pods run it.
        text: The file.
    """

    workload: Workload
    text: str

    @property
    def listens(self) -> int:
        return int(self._one(r"\blisten (\d+);"))

    @property
    def resolver(self) -> str:
        return self._one(r"\bresolver (\S+)[^;]*;")

    @property
    def remembers_seconds(self) -> int:
        """How long it goes on sending to an address that its name no longer leads to."""
        return int(self._one(r"\bresolver [^;]*valid=(\d+)s"))

    @property
    def waits_seconds(self) -> int:
        """For an answer of a pod."""
        return int(self._one(r"\bproxy_read_timeout (\d+)s"))

    @property
    def stops_seconds(self) -> int:
        """For requests that run when it is told to go."""
        return int(self._one(r"\bworker_shutdown_timeout (\d+)s"))

    @property
    def upstreams(self) -> dict[str, tuple[str, int]]:
        """Host and port by name."""
        found = re.findall(r"upstream (\w+) \{[^}]*?\bserver ([\w.-]+):(\d+)", self.text)
        return {name: (host, int(port)) for name, host, port in found}

    @property
    def followed(self) -> set[str]:
        """Upstreams whose pods it finds as they come and go."""
        blocks = re.findall(r"upstream (\w+) \{([^}]*)\}", self.text)
        return {name for name, block in blocks if re.search(r"\bserver [^;]* resolve\b", block) and "zone " in block}

    @property
    def passes_to(self) -> set[tuple[str, str]]:
        """Upstream, or a variable, and path of each `proxy_pass`."""
        return set(re.findall(r"\bproxy_pass http://([\w$]+)([^;]*);", self.text))

    @property
    def chosen(self) -> set[str]:
        """The upstreams that `$variant` may name."""
        [block] = re.findall(r"(?:map|split_clients) \$caller \$variant \{([^}]*)\}", self.text)
        return set(re.findall(r"(\w+);", block))

    @property
    def answers(self) -> set[str]:
        """Paths with a location of their own."""
        return set(re.findall(r"location = (\S+) \{", self.text))

    @property
    def hidden(self) -> set[str]:
        """Paths that callers get a 404 for."""
        return set(re.findall(r"location \^~ (\S+) \{ return 404; \}", self.text))

    @property
    def routes(self) -> set[str]:
        """Paths that its log calls by name."""
        [block] = re.findall(r"map \$uri \$route \{([^}]*)\}", self.text)
        return set(re.findall(r"^\s*(/\S+)", block, re.MULTILINE))

    @property
    def believes(self) -> set[str]:
        """Networks whose word on who calls it takes."""
        return set(re.findall(r"\bset_real_ip_from (\S+);", self.text))

    @property
    def writes_to(self) -> set[str]:
        """Folders it writes to, and the one of its pid."""
        paths = re.findall(r"(?:_temp_path|\bpid) (/\S+);", self.text)
        return {path.rpartition("/")[0] for path in paths}

    def _one(self, pattern: str) -> str:
        found = set(re.findall(pattern, self.text))
        assert len(found) == 1, f"{pattern} is in {FILE} {len(found)} times"
        return str(found.pop())


def fronts(declared: Declared) -> list[Nginx]:
    """Every Deployment whose pods mount an nginx.conf."""
    found = []
    for workload in declared.workloads():
        for volume in workload.pod["volumes"]:
            name = volume.get("configMap", {}).get("name")
            texts = [item["data"] for item in declared.of("ConfigMap") if item["metadata"]["name"] == name]
            found += [Nginx(workload, data[FILE]) for data in texts if FILE in data]
    return found
