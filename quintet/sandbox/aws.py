"""Clients of the emulated AWS, as the account's root, with every call's parameters checked."""

import os
import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from quintet.sandbox.emulator import ROOT_KEY
from quintet.sandbox.validation import ParameterValidator

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 3},
    max_pool_connections=32,
    connect_timeout=5,
    read_timeout=120,
    inject_host_prefix=False,  # some services put `sync-` or an account before the host, which 127.0.0.1 has not
    s3={"addressing_style": "path"},
)


class Clients:
    """One boto3 client a service, made on first use; safe from any thread.

    Attributes:
        validator: What checks the calls.
    """

    def __init__(self, url: str, region: str) -> None:
        """Clients of the emulator at `url`; nothing of the user's own AWS configuration is read."""
        self.validator = ParameterValidator()
        self._url = url
        self._session: Any = _own_session(region)  # its `client` is typed for literal service names only
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:  # noqa: ANN401  boto3 makes its client classes at run time
        """The client of a service, by its boto3 name."""
        if (ready := self._clients.get(service)) is not None:
            return ready
        with self._lock:
            if service not in self._clients:
                client = self._session.client(service, endpoint_url=self._url, config=_CONFIG)
                self.validator.register(client.meta.events)
                self._clients[service] = client
            return self._clients[service]


def _own_session(region: str) -> boto3.session.Session:
    # Session variables are (name in a file, names in the environment, default, conversion): with the default alone,
    # neither AWS_PROFILE nor a file in the home folder has a say.
    nobody = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull, "region": region}
    session = botocore.session.Session({name: (None, None, value, None) for name, value in nobody.items()})
    session.set_credentials(ROOT_KEY, ROOT_KEY)
    return boto3.session.Session(botocore_session=session, region_name=region)
