"""The sandbox's Kubernetes: keeps the objects that are applied and runs their containers as processes.

What it is not: an API server. Objects come from the kinds of `quintet.sandbox.kinds`, as dictionaries.
"""

from quintet.sandbox.kubernetes.cluster import Cluster

__all__ = ["Cluster"]
