"""`python -m models.build [moderation|sentiment]`: builds the starter models; `--measure` only measures them."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
from dataclasses import replace
from pathlib import Path

from models.build import classes, measure

MODELS = Path(__file__).parents[1]
NAMES = ("moderation", "sentiment")


def main() -> None:
    """Parses the arguments and builds."""
    parser = argparse.ArgumentParser(
        prog="python -m models.build", description="Build the starter models that ship with the repository."
    )
    parser.add_argument("model", nargs="?", choices=NAMES, help="only this one (default: all)")
    parser.add_argument("--out", type=Path, help="folder of the model (default: models/<model>); needs a model")
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
    if arguments.out and not arguments.model:
        parser.error("--out needs the name of one model, as each has its own folder")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in [arguments.model] if arguments.model else NAMES:
        _one(name, arguments)


def _one(name: str, arguments: argparse.Namespace) -> None:
    out = arguments.out or MODELS / name
    blind = MODELS / "blind" / f"{name}.jsonl"
    if arguments.measure:
        print(json.dumps(_blind_scores(name, out, blind), indent=1))
        return
    # Late: torch takes seconds, and measuring needs none of it.
    recipe = importlib.import_module(f"models.build.{name}.recipe")
    schedule = recipe.SCHEDULE if arguments.epochs is None else replace(recipe.SCHEDULE, epochs=arguments.epochs)
    recipe.build(out, blind=blind if blind.is_file() else None, threads=arguments.threads, schedule=schedule)


def _blind_scores(name: str, out: Path, blind: Path) -> dict[str, object]:
    model = measure.classifier(out)
    if name == "moderation":
        return measure.set_scores(model, blind)
    from models.build.sentiment.predict import predictor  # noqa: PLC0415 - brings the service's cleaning

    return classes.set_scores(predictor(model), blind, model.labels)


if __name__ == "__main__":
    main()
