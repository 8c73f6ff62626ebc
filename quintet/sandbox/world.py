"""What the kinds of resources work on: the checkout, the emulated AWS, the images and the local processes."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quintet.sandbox.aws import Clients
from quintet.sandbox.denials import DenialLog
from quintet.sandbox.emulator import ACCOUNT, REGION
from quintet.sandbox.images import ImageStore

if TYPE_CHECKING:
    from quintet.sandbox.caches import Caches
    from quintet.sandbox.functions import Credentials, Functions, FunctionSpec
    from quintet.sandbox.kubernetes.cluster import Cluster


class World:
    """One sandbox.

    Attributes:
        root: The checkout: what a Dockerfile's context is relative to.
        home: Where the sandbox keeps its state, `.quintet`.
        url: Address of the emulated AWS.
        account: The account's number.
        region: The one region.
        images: What was built from Dockerfiles.
        functions: What runs image functions; None where nothing is to run.
        kubernetes: What runs pods and load balancers; None where nothing is to run.
        denials: Calls that IAM refused.
    """

    account = ACCOUNT

    def __init__(self, root: Path, home: Path, *, url: str = "", region: str = REGION) -> None:
        """A sandbox in `home`; `url` may be empty for a preview, which calls nothing."""
        self.root = root
        self.home = home
        self.url = url
        self.region = region
        self.images = ImageStore(home / "images")
        self.functions: Functions | None = None
        self.kubernetes: Cluster | None = None
        self.denials = DenialLog(home / "logs" / "denials.jsonl")
        self._clients = Clients(url, region)

    @cached_property
    def caches(self) -> "Caches":
        """The caches, each with a server of this machine."""
        from quintet.sandbox.caches import Caches  # noqa: PLC0415  a preview must not wait for cryptography

        return Caches(self.home / "emulator" / "caches")

    def close(self) -> None:
        """End what resources have started."""
        if "caches" in self.__dict__:
            self.caches.stop()

    def client(self, service: str) -> Any:  # noqa: ANN401  boto3 makes its client classes at run time
        """A boto3 client of the account's root, whose calls are checked against the service's model."""
        return self._clients.client(service)

    def describe_function(self, arn: str) -> "FunctionSpec":
        """What one version of an image function is, from the emulator and from its image.

        Args:
            arn: Of the function, with its version, which may be `$LATEST`.

        Raises:
            ClientError: The emulator has no such function or version.
            ImageNotFoundError: Its image was not built in this sandbox.
        """
        from quintet.sandbox.functions import FunctionSpec  # noqa: PLC0415  a preview must not wait for aiohttp

        name, version = arn.split(":")[6:8]
        answer = self.client("lambda").get_function(FunctionName=name, Qualifier=version)
        configuration = answer["Configuration"]
        image = self.images.get(answer["Code"]["ImageUri"].rpartition("@")[2])
        command = _image_config(configuration).get("Command") or image.command
        return FunctionSpec(
            arn=arn,
            name=name,
            version=version,
            handler=command[0] if command else "",
            code_root=image.code_root,
            image_environment=image.environment,
            environment=configuration.get("Environment", {}).get("Variables", {}),
            timeout_seconds=configuration["Timeout"],
            memory_mb=configuration["MemorySize"],
            role_arn=configuration["Role"],
            log_group=configuration["LoggingConfig"]["LogGroup"],
        )

    def credentials(self, role_arn: str, session: str) -> "Credentials":
        """Temporary credentials of a role, which may do what its policies allow and nothing else.

        Raises:
            ClientError: The role does not exist or may not be assumed.
        """
        from quintet.sandbox.functions import Credentials  # noqa: PLC0415  as above

        name = session[:64].ljust(2, "-")  # STS takes 2 to 64 characters, a function's name may have one
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=name)["Credentials"]
        return Credentials(
            access_key_id=answer["AccessKeyId"],
            secret_access_key=answer["SecretAccessKey"],
            session_token=answer["SessionToken"],
            expires_at=answer["Expiration"],
        )


def _image_config(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    config: Mapping[str, Any] = configuration.get("ImageConfigResponse", {}).get("ImageConfig", {})
    return config
