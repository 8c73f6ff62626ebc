"""The sandbox's Kubernetes: keeps the objects that are applied and runs their containers as processes.

`cluster.Cluster` is all of it. What it is not: an API server. Objects come from the kinds of `quintet.sandbox.kinds`,
as dictionaries.
"""
