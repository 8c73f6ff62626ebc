"""The whole program: settings, what is shared, each service, what a user needs of them."""

import pulumi

from stacks import moderation
from stacks.settings import Settings
from stacks.shared import share

settings = Settings.load()
shared = share(settings.common)

deployed = {}
if settings.moderation:
    deployed["moderation"] = moderation.deploy(settings.moderation, shared)

pulumi.export("endpoints", {name: {"url": service.url} for name, service in deployed.items()})
pulumi.export("services", {name: service.details for name, service in deployed.items()})
pulumi.export("alarmTopic", shared.alarms.arn)
