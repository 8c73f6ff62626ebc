"""The whole program: settings, what is shared, each service, what a user needs of them."""

import pulumi

from stacks import moderation, sentiment
from stacks.ground import ground
from stacks.settings import Settings
from stacks.shared import share

settings = Settings.load()
shared = share(settings.common)

deployed = {}
if settings.moderation:
    deployed["moderation"] = moderation.deploy(settings.moderation, shared)
if settings.sentiment and settings.platform:
    deployed["sentiment"] = sentiment.deploy(settings.sentiment, shared, ground(settings.platform, shared))
elif "sentiment" in settings.common.images_also:
    sentiment.build(shared)

endpoints = {name: {"url": service.url, "health": service.health} for name, service in deployed.items()}
pulumi.export("endpoints", endpoints)
pulumi.export("services", {name: service.details for name, service in deployed.items()})
pulumi.export("rollouts", {name: service.rollout for name, service in deployed.items() if service.rollout})
pulumi.export("alarmTopic", shared.alarms.arn)
