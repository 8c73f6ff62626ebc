"""What exists on an emulated AWS, by what each service lists, and comparisons that overlook what is random."""

import re
from typing import Any

import boto3

from tests.system.conftest import LiveCheckout

# service, call, key of the list, key of an item's name
_LISTS = (
    ("s3", "list_buckets", "Buckets", "Name"),
    ("dynamodb", "list_tables", "TableNames", ""),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("apigatewayv2", "get_apis", "Items", "Name"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName"),
    ("elasticache", "describe_serverless_caches", "ServerlessCaches", "ServerlessCacheName"),
)
# Parts of names and ids that are chosen anew whenever a resource is made; a digest is no such part.
_RANDOM = re.compile(
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    # VPC links; names and APIs; hashes of what holds such names; EC2; names made of a prefix.
    r"|\b(?:[0-9a-f]{6}|[0-9a-f]{8}|[0-9a-f]{10}|[0-9a-f]{17}|[0-9a-f]{26})\b"
    r"|(?<=/)[0-9a-z]{16}\b"  # load balancers
)


def inventory(checkout: LiveCheckout) -> set[str]:
    """Service and name of everything that is there, and each key that is not about to be deleted."""
    aws = checkout.status()["aws"]
    account = boto3.Session("test", "test", region_name=aws["region"])
    clients = {name: account.client(name, endpoint_url=aws["endpoint_url"]) for name, *_ in (*_LISTS, ("kms",))}
    found = {f"kms {key}" for key in _living_keys(clients["kms"])}
    for service, call, items, name in _LISTS:
        listed = getattr(clients[service], call)()[items]
        found |= {f"{service} {item[name] if name else item}" for item in listed}
    return found


def alike(value: Any) -> Any:
    """The same with everything random blotted out."""
    if isinstance(value, dict):
        return {key: alike(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [alike(item) for item in value]
    return _RANDOM.sub("*", value) if isinstance(value, str) else value


def _living_keys(kms: Any) -> list[str]:
    described = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    return [key["Description"] for key in described if key["KeyState"] != "PendingDeletion"]
