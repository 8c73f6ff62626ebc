"""What all services stand on: the account, its images, where logs and alarms go."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from stacks.base_images import BaseImage, BaseImageError, read_pins
from stacks.components.alarm_topic import AlarmTopic, AlarmTopicArgs
from stacks.components.boundary import bound_every_role
from stacks.components.bucket import LogBucket, LogBucketArgs
from stacks.components.image import Registry
from stacks.settings import Common

KEY_DELETION_DAYS = {True: 30, False: 7}
"""How long a deleted key can be brought back, by whether the stack is protected; the bounds of KMS."""


@dataclass(frozen=True)
class Shared:
    """What a service is given.

    Attributes:
        settings: What holds for every service.
        account: The account's id.
        registry: Where images are.
        base_images: What they are built on, by name.
        logs: Takes the access logs of buckets.
        alarms: Who is told.
        options: For every component: the provider with the region and the tags.
        asking: For every question to AWS: the same provider.
    """

    settings: Common
    account: str
    registry: Registry
    base_images: dict[str, BaseImage]
    logs: LogBucket
    alarms: AlarmTopic
    options: pulumi.ResourceOptions
    asking: pulumi.InvokeOptions


@dataclass(frozen=True)
class Deployed:
    """What the rest of the program exports of a service.

    Attributes:
        url: How a client calls it.
        details: What an operator looks for.
        health: The path that says whether it is well.
        rollout: How a new version is tried on some callers first; None where the service knows no such way.
    """

    url: pulumi.Output[str]
    details: dict[str, Any]
    health: str = "/health"
    rollout: dict[str, Any] | None = None


def share(settings: Common) -> Shared:
    """Make what all services stand on."""
    if settings.permissions_boundary:
        bound_every_role(settings.permissions_boundary)
    base_images = _checked_pins(settings)
    provider = aws.Provider("aws", region=settings.region, default_tags={"tags": _tags(settings)})
    options = pulumi.ResourceOptions(providers=[provider])
    asking = pulumi.InvokeOptions(provider=provider)
    account = aws.get_caller_identity(opts=asking).account_id
    return Shared(
        settings=settings,
        account=account,
        registry=Registry(account=account, region=settings.region, promote_from=_promote_from(settings)),
        base_images=base_images,
        logs=LogBucket("access-logs", LogBucketArgs(account=account, protected=settings.protected), options),
        alarms=AlarmTopic(
            "alarms",
            AlarmTopicArgs(
                account=account,
                emails=settings.alarm_emails,
                key_deletion_days=KEY_DELETION_DAYS[settings.protected],
            ),
            options,
        ),
        options=options,
        asking=asking,
    )


def _promote_from(settings: Common) -> str | None:
    return settings.images_from if settings.images == "promote" else None


def _tags(settings: Common) -> dict[str, str]:
    """Nothing in them changes from one run to the next: a tag with a time or a commit would update everything."""
    own = {"project": pulumi.get_project(), "environment": pulumi.get_stack(), "managed-by": "pulumi"}
    return {**settings.tags, **own}


def _checked_pins(settings: Common) -> dict[str, BaseImage]:
    """The base images; one without a digest may change under a build, which a protected stack does not take."""
    pins = read_pins()
    loose = sorted(name for name, pin in pins.items() if pin.digest is None)
    if loose and settings.images == "build":
        text = f"base images without a digest in stacks/base_images.json: {', '.join(loose)}"
        advice = "`python -m stacks.base_images` pins them"
        if settings.protected:
            raise BaseImageError(f"A protected stack does not build on {text}; {advice}, or promote what another built")
        pulumi.log.info(f"Building on {text}: they may change from one build to the next; {advice}")
    return pins
