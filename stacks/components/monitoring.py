"""What a cluster with the Prometheus operator and Grafana needs to watch a service: scraping, alerts, a dashboard."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from stacks.components.arguments import checked_name, matching, refuse
from stacks.components.namespaces import Namespace, managed
from stacks.components.pods import PORT_NAME

_API = "monitoring.coreos.com/v1"
_VARIANT_LABEL = "__meta_kubernetes_pod_label_quintet_variant"


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is watched.

    Attributes:
        namespace: Of the service.
        selector: Labels of the Services whose pods are scraped.
        path: Where a pod tells its metrics.
        rules: The `spec` of a PrometheusRule.
        dashboard: The JSON of a dashboard of Grafana.
    """

    namespace: Namespace
    selector: Mapping[str, str]
    rules: Mapping[str, Any]
    dashboard: Mapping[str, Any]
    path: str = "/metrics"

    def __post_init__(self) -> None:
        refuse(
            "MonitoringArgs",
            [] if self.selector else ["selector is empty: every Service would be scraped"],
            [] if self.rules.get("groups") else ["rules has no groups"],
            [] if self.dashboard.get("panels") else ["dashboard has no panels"],
            matching("path", self.path, r"/[\w/.-]*", "a path such as /metrics"),
        )


class Monitoring(pulumi.ComponentResource):
    """A ServiceMonitor, a PrometheusRule and a dashboard, for a cluster that knows the operator's types."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:observability:Monitoring", checked_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=list(args.namespace.ready))

        def custom(kind: str, suffix: str, spec: Mapping[str, Any]) -> None:
            kubernetes.apiextensions.CustomResource(
                f"{name}-{suffix}",
                api_version=_API,
                kind=kind,
                metadata={"name": name, "namespace": args.namespace.name, "labels": managed()},
                spec=spec,
                opts=child,
            )

        custom("ServiceMonitor", "scraping", _scraping(args))
        custom("PrometheusRule", "rules", args.rules)
        kubernetes.core.v1.ConfigMap(
            f"{name}-dashboard",
            metadata={
                "name": f"{name}-dashboard",
                "namespace": args.namespace.name,
                # By this label Grafana's sidecar finds it, in any namespace.
                "labels": {"grafana_dashboard": "1", **managed()},
            },
            data={f"{name}.json": json.dumps(args.dashboard, sort_keys=True)},
            opts=child,
        )
        self.register_outputs({})


def _scraping(args: MonitoringArgs) -> dict[str, Any]:
    variant = {"sourceLabels": [_VARIANT_LABEL], "targetLabel": "variant"}
    return {
        "selector": {"matchLabels": dict(args.selector)},
        "namespaceSelector": {"matchNames": [args.namespace.name]},
        "endpoints": [{"port": PORT_NAME, "path": args.path, "interval": "15s", "relabelings": [variant]}],
    }
