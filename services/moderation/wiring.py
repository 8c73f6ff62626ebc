"""What the API stands on, made once a process from the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from services.common import artifacts
from services.common.after_response import AfterResponse, after_response
from services.common.lambda_environment import LambdaEnvironment
from services.common.logging import service_logger
from services.common.metrics import ServiceMetrics
from services.common.model_loader import ModelLoader
from services.moderation.decisions import Decision
from services.moderation.policy import DEFAULT_POLICY
from services.moderation.settings import Settings

if TYPE_CHECKING:
    from services.moderation.moderator import Moderator
    from services.moderation.storage import DecisionLog

SERVICE = "moderation"


class Services:
    """The model, the decision log, logs and metrics."""

    def __init__(self, settings: Settings, place: LambdaEnvironment) -> None:
        """Begins to load the model, in a thread, before anything else is made.

        Args:
            settings: What the stack set.
            place: What Lambda set, where this is Lambda.
        """
        self.logger = service_logger(SERVICE, settings.log_level)
        self.model: ModelLoader[Moderator] = ModelLoader(lambda: _load_moderator(settings), logger=self.logger)
        self.model.start()
        self.metrics = ServiceMetrics(SERVICE, settings.environment)
        self.write_decisions = _decision_writer(settings)
        self.after: AfterResponse = after_response(
            runtime_api=place.runtime_api,
            logger=self.logger,
            on_failure=lambda: self.metrics.emit({"DecisionLogFailures": 1}),
        )


def _load_moderator(settings: Settings) -> Moderator:
    """The model of the configured version, from the cache where a verified copy is there, else from S3."""
    # onnxruntime takes 0.25 s to import, half of it outside Python's lock: beside the making of the routes.
    from services.moderation.moderator import Moderator  # noqa: PLC0415 - see above

    model = artifacts.cached(settings.model_prefix)
    if model is None:
        from services.common.storage import BucketReader  # noqa: PLC0415 - botocore: only where there is a download

        model = artifacts.fetch(BucketReader(settings.models_bucket), settings.model_prefix)
    return Moderator(model, DEFAULT_POLICY)


def _decision_writer(settings: Settings) -> Callable[[Sequence[Decision]], None]:
    """Writes to the decision log, which is made at the first call: after an answer, never before one."""

    @cache
    def log() -> DecisionLog:
        from services.moderation.storage import DecisionLog  # noqa: PLC0415 - boto3 takes 0.3 s

        return DecisionLog(
            table=settings.decisions_table, hash_key_id=settings.hash_key_id, ttl_days=settings.decision_ttl_days
        )

    return lambda decisions: log().write(decisions)
