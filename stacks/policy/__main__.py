"""What the Pulumi engine starts: serves the pack on a port of 127.0.0.1 until it is stopped."""

from pulumi_policy import PolicyPack

from stacks.policy.pack import DESCRIPTION, LEVEL, NAME, POLICIES

PolicyPack(NAME, POLICIES, enforcement_level=LEVEL, description=DESCRIPTION)
