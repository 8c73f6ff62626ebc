"""The sandbox's cloud served to the real Pulumi engine, as the resource provider of every package."""

from quintet.sandbox.provider.server import ProviderServer
from quintet.sandbox.provider.servicer import Provider

__all__ = ["Provider", "ProviderServer"]
