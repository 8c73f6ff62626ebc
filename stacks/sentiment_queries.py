"""The questions that alerts and dashboard ask Prometheus about sentiment."""

from dataclasses import dataclass

JOBS = "sentiment(-canary)?"
WINDOW = "5m"


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What is watched, and when it is too much.

    Attributes:
        namespace: Where the pods are.
        target_p95_ms: What callers were promised.
        cpu_millicores: Of a pod at most.
        memory_mb: Of a pod at most.
    """

    namespace: str
    target_p95_ms: int
    cpu_millicores: int
    memory_mb: int

    def series(self, metric: str, **labels: str) -> str:
        """A selector of the service's own series.

        Args:
            metric: The metric's name.
            labels: Regular expressions by label.
        """
        more = "".join(f',{name}=~"{expression}"' for name, expression in labels.items())
        return f'{metric}{{namespace="{self.namespace}",job=~"{JOBS}"{more}}}'

    def rate(self, metric: str, *by: str, **labels: str) -> str:
        """How much a counter grows in a second, summed."""
        grouped = f" by ({', '.join(by)})" if by else ""
        return f"sum{grouped} (rate({self.series(metric, **labels)}[{WINDOW}]))"

    def share(self, part: str, whole: str) -> str:
        """A part of a whole, which may be nothing: 0 then, and not no answer at all."""
        return f"({part}) / clamp_min({whole}, 1e-9)"

    def quantile(self, share: float, metric: str, *by: str, **labels: str) -> str:
        """What that share of a histogram's observations stayed below."""
        return f"histogram_quantile({share}, {self.rate(f'{metric}_bucket', *by, 'le', **labels)})"

    @property
    def predictions(self) -> dict[str, str]:
        """The routes that people call."""
        return {"route": "/predict(/batch)?"}

    @property
    def error_share(self) -> str:
        """Of the requests, those that the service failed: refusing work that it has no room for is one, too."""
        failed = self.rate("sentiment_requests_total", **self.predictions, status="5..")
        return self.share(f"{failed} or vector(0)", self.rate("sentiment_requests_total", **self.predictions))

    @property
    def cpu_share(self) -> str:
        """Of its CPU, what each pod uses."""
        return f"{self.rate('process_cpu_seconds_total', 'pod')} / {self.cpu_millicores / 1000:g}"

    @property
    def memory_share(self) -> str:
        """Of its memory, what each pod uses."""
        used = self.series("process_resident_memory_bytes")
        return f"sum by (pod) ({used}) / {self.memory_mb * 1024 * 1024}"

    @property
    def cache_error_share(self) -> str:
        """Of the look-ups, those that the shared cache did not answer."""
        errors = self.rate("sentiment_cache_requests_total", store="redis", result="error")
        return self.share(f"{errors} or vector(0)", self.rate("sentiment_cache_requests_total", store="redis"))
