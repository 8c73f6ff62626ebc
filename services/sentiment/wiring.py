"""What the API stands on, made once a process from the settings."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from services.common import artifacts
from services.common.artifacts import LocalModel
from services.common.errors import ModelUnavailable
from services.common.logging import service_logger
from services.common.storage import BucketReader
from services.sentiment.auth import authorization
from services.sentiment.backends.base import Backend
from services.sentiment.backends.choice import Choice, choose_backend
from services.sentiment.cache import Cache, MemoryCache
from services.sentiment.contracts import ModelInfo
from services.sentiment.health import Health
from services.sentiment.limits import Concurrency, MemoryCounters, RateLimit, RedisCounters
from services.sentiment.metrics import Metrics
from services.sentiment.model_keeper import ModelKeeper
from services.sentiment.predictor import BatchLimits, Predictor, Queue
from services.sentiment.redis_store import RedisStore
from services.sentiment.serving import Serving, warm_up
from services.sentiment.settings import Settings

SERVICE = "sentiment"


class Services:
    """The model, who may ask it and how much, logs and metrics."""

    def __init__(self, settings: Settings) -> None:
        """Makes everything and starts nothing.

        Args:
            settings: What the stack set.
        """
        self.settings = settings
        self.logger = service_logger(SERVICE, settings.log_level)
        # A logger of its own, so that no level hides which model answered when.
        self.audit = service_logger(f"{SERVICE}-audit", "INFO")
        self.metrics = Metrics()
        self.model: ModelKeeper[Serving] = ModelKeeper(self._load, logger=self.logger, on_load=self._loaded)
        self.health = Health(self.model.state, self.metrics)
        self.authorization = authorization(settings, logger=self.logger)
        self.concurrency = Concurrency(settings.concurrency_per_key)
        self.rate_limit = self._rate_limit() if settings.rate_limit else None
        self._cache = self._made_cache()
        self._answering = ""

    def show(self) -> None:
        """Tells the metrics how it is now."""
        self.health.show()
        try:
            queue = self.model.get().queue
        except ModelUnavailable:
            queue = Queue(0, 0)
        self.metrics.queue(texts=queue.texts, tokens=queue.tokens)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Loads the model beside whatever the block does; after it, does what was begun and closes everything."""
        if self._cache is not None:
            await self._cache.start()
        keeping = asyncio.create_task(self.model.run())
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            await self.model.close()
            if self._cache is not None:
                await self._cache.close()
            if self.rate_limit is not None:
                await self.rate_limit.close()

    def _load(self) -> Serving:
        """The model of the configured version, from the cache where a verified copy is there, else from S3."""
        started = time.monotonic()
        prefix = self.settings.model_prefix
        model = artifacts.cached(prefix) or artifacts.fetch(BucketReader(self.settings.models_bucket), prefix)
        choice = choose_backend(self.settings.backend, model, threads=self.settings.threads)
        warm_up(choice.backend)
        self.logger.info("Model verified and warm", extra={"seconds": round(time.monotonic() - started, 3)})
        return Serving(self._predictor(choice.backend, model), _info(model, choice))

    def _loaded(self, serving: Serving) -> None:
        """The audit line of a model that begins to answer."""
        info = serving.info
        self.metrics.model_loaded(model_version=info.version, backend=info.backend)
        self.health.show()
        self.audit.info(
            "Model answers",
            extra={
                "environment": self.settings.environment,
                "pod": socket.gethostname(),
                "model_prefix": self.settings.model_prefix,
                "model_version": info.version,
                "model_files": info.files,
                "backend": info.backend,
                "tried": info.tried,
                "before": self._answering,
            },
        )
        self._answering = f"{info.version} on {info.backend}"

    def _predictor(self, backend: Backend, model: LocalModel) -> Predictor:
        settings = self.settings
        limits = BatchLimits(
            max_batch_tokens=settings.max_batch_tokens,
            max_queue_tokens=settings.max_queue_tokens,
            target_p95_ms=settings.target_p95_ms,
        )
        return Predictor(backend, model.manifest.version, limits=limits, cache=self._cache, observer=self.metrics)

    def _made_cache(self) -> Cache | None:
        settings = self.settings
        if not settings.cache_entries:
            return None
        redis = None
        if settings.redis_url:
            redis = RedisStore(settings.redis_url, ttl_seconds=settings.cache_ttl_seconds, logger=self.logger)
        return Cache(MemoryCache(settings.cache_entries, settings.cache_ttl_seconds), redis)

    def _rate_limit(self) -> RateLimit:
        redis = RedisCounters(self.settings.redis_url) if self.settings.redis_url else None
        return RateLimit(self.settings.rate_limit, memory=MemoryCounters(), redis=redis, logger=self.logger)


def _info(model: LocalModel, choice: Choice) -> ModelInfo:
    manifest = model.manifest
    as_they_are = {"name", "version", "max_length", "architecture", "license", "source", "git_sha"}
    return ModelInfo(
        **manifest.model_dump(include=as_they_are),
        labels=list(manifest.labels),
        metrics=manifest.metrics,
        created=manifest.created.isoformat(),
        files={name: file.sha256 for name, file in manifest.files.items()},
        backend=choice.backend.name,
        device=choice.backend.device,
        tried=dict(choice.tried),
        loaded_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
