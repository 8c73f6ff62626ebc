"""`python -m models.build [moderation]`: builds the starter models; `--measure` only measures what is there."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import replace
from pathlib import Path

from models.build import measure

MODELS = Path(__file__).parents[1]


def main() -> None:
    """Parses the arguments and builds."""
    parser = argparse.ArgumentParser(
        prog="python -m models.build", description="Build the starter models that ship with the repository."
    )
    parser.add_argument("model", nargs="?", choices=("moderation",), default="moderation")
    parser.add_argument("--out", type=Path, help="folder of the model (default: models/<model>)")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of the training (default: 1; more are slower on busy cores)"
    )
    parser.add_argument("--epochs", type=int, help="passes over newly written examples")
    parser.add_argument(
        "--measure",
        action="store_true",
        help="print the blind set's aggregates for the model that is there; build nothing",
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    out = arguments.out or MODELS / arguments.model
    blind = MODELS / "blind" / f"{arguments.model}.jsonl"
    if arguments.measure:
        print(json.dumps(measure.set_scores(measure.classifier(out), blind), indent=1))
        return
    # Late: torch takes seconds, and measuring needs none of it.
    from models.build.moderation import recipe  # noqa: PLC0415 - see above
    from models.build.training import Schedule  # noqa: PLC0415 - see above

    schedule = Schedule() if arguments.epochs is None else replace(Schedule(), epochs=arguments.epochs)
    recipe.build(out, blind=blind if blind.is_file() else None, threads=arguments.threads, schedule=schedule)


if __name__ == "__main__":
    main()
