"""Serverless caches of the sandbox: a real server of this machine each, with TLS and the declared users."""

from quintet.sandbox.caches.caches import CacheError, Caches, Endpoint, User

__all__ = ["CacheError", "Caches", "Endpoint", "User"]
