"""Every arrow of the declared system has its grant: who calls whom, and which policy lets it.

An emulator lets most services call each other whatever their policies say, so a missing grant would show on AWS only.
Each check follows one kind of arrow through what a program declared, asks the policies in its way as IAM would, and
gives a sentence for each that stands in its way, with what to declare. Whoever declares a new kind of arrow adds its
check here.
"""

from collections.abc import Callable, Iterator

from quintet.sandbox.engine.recording import Recording
from tests.stacks.edges import alarms, events, functions, logs, routes
from tests.stacks.edges.graph import Graph

CHECKS: tuple[Callable[[Graph], Iterator[str]], ...] = (
    routes.callable_by_their_api,
    functions.taken_by_lambda,
    functions.write_their_logs,
    functions.send_their_traces,
    functions.keep_what_failed,
    functions.pull_their_image,
    alarms.reach_their_topic,
    alarms.reach_their_subscribers,
    logs.of_buckets_arrive,
    logs.of_apis_arrive,
    logs.of_trails_arrive,
    logs.of_balancers_arrive,
    events.reach_their_target,
    events.of_tasks_have_roles,
)


def problems(recording: Recording, *, images_of: Recording | None = None) -> list[str]:
    """What stands in the way of what a program declares, a sentence each; empty when every arrow has its grant.

    Args:
        recording: The program, with known outputs (not a preview).
        images_of: The program of the stack that builds the images that this one runs; by default this one itself.
    """
    graph = Graph(recording, images_of=images_of or recording)
    return [sentence for check in CHECKS for sentence in check(graph)]
