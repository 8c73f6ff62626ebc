"""The sentiment API: FastAPI in a pod, behind nginx."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request, Response, Security, params
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from services.common.http import HttpConventions
from services.common.http_app import new_app
from services.common.problems import documented
from services.sentiment.admission import TIMEOUT_HEADER, TIMEOUT_PARAMETER, admitted, deadline_of
from services.sentiment.contracts import (
    Health,
    Liveness,
    ModelInfo,
    PredictBatchRequest,
    PredictBatchResponse,
    PredictRequest,
    PredictResponse,
    Readiness,
    Scores,
    Sentiment,
)
from services.sentiment.json_route import JsonRoute
from services.sentiment.predictor import Prediction
from services.sentiment.wiring import Services

SLOW_MS = 1000.0
"""At INFO only requests that took this long, or failed, are told one by one: nginx's log has them all."""

PROBES = ("/livez", "/readyz", "/healthz", "/metrics")

_FAULTS = documented(400, 401, 408, 413, 415, 422, 429, 503, 504)
_EXTRA = {"parameters": [TIMEOUT_PARAMETER]}
# For the documentation and its "Authorize" alone: `JsonRoute` asks `services.authorization` before it reads a body.
_SCHEMES: dict[str, list[params.Depends]] = {
    "none": [],
    "api_key": [Security(APIKeyHeader(name="X-Api-Key"))],
    "jwt": [Security(HTTPBearer(bearerFormat="JWT"))],
}

predictions = APIRouter(route_class=JsonRoute)
operations = APIRouter()


@predictions.post("/predict", responses=_FAULTS, openapi_extra=_EXTRA)
async def predict(request: Request, body: PredictRequest) -> PredictResponse:
    """Says whether one text is negative, neutral or positive."""
    model, deadline = _services(request).model.get(), deadline_of(request)
    found = await admitted(request, 1, deadline, lambda: model.predictor.predict(body.text, deadline=deadline))
    return PredictResponse(**_fields(found), model_version=model.info.version)


@predictions.post("/predict/batch", responses=_FAULTS, openapi_extra=_EXTRA)
async def predict_batch(request: Request, body: PredictBatchRequest) -> PredictBatchResponse:
    """Says it of up to 128 texts, one result a text in their order."""
    model, deadline, texts = _services(request).model.get(), deadline_of(request), body.texts
    found = await admitted(
        request, len(texts), deadline, lambda: model.predictor.predict_many(texts, deadline=deadline)
    )
    results = [Sentiment(**_fields(each)) for each in found]
    return PredictBatchResponse(results=results, model_version=model.info.version)


@operations.get("/livez", responses=documented(503))
async def livez(request: Request) -> Liveness:
    """Whether the process answers and its inference moves; if not, it must be started anew."""
    _services(request).health.require_live()
    return Liveness()


@operations.get("/readyz", responses=documented(503))
async def readyz(request: Request) -> Readiness:
    """Whether requests should be sent here: the model is verified, warm and answers, and nothing is shutting down."""
    services = _services(request)
    services.health.require_ready()
    return Readiness(model_version=services.model.get().info.version)


@operations.get("/healthz", responses=documented(503))
async def healthz(request: Request) -> Health:
    """Whether the service can answer, and with what."""
    services = _services(request)
    services.health.require_healthy()
    model = services.model.get()
    return Health(
        model_version=model.info.version,
        backend=model.info.backend,
        draining=services.health.draining,
        queued_texts=model.queue.texts,
    )


@operations.get("/model/info", responses=documented(503))
async def model_info(request: Request) -> ModelInfo:
    """Which model answers, what runs it, and why nothing else does."""
    return _services(request).model.get().info


@operations.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """For Prometheus, inside the cluster: nginx answers 404 to the world outside."""
    services = _services(request)
    services.show()
    return Response(services.metrics.exposition(), headers={"Content-Type": services.metrics.content_type})


def create_app(services: Services) -> FastAPI:
    """The app over services that are already there; its lifespan starts and ends them."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with services.running():
            yield

    app = new_app(
        "Quintet sentiment", "Is this text negative, neutral or positive?", services=services, lifespan=lifespan
    )
    app.include_router(predictions, dependencies=_SCHEMES[services.settings.authorization])
    app.include_router(operations)
    app.add_middleware(
        HttpConventions,
        logger=services.logger,
        metrics=services.metrics,
        max_body_bytes=None,
        log_from_ms=SLOW_MS,
        probes=PROBES,
        closing=lambda: services.health.draining,
    )
    if services.settings.cors_origins:
        _allow_origins(app, services.settings.cors_origins)
    return app


def _allow_origins(app: FastAPI, origins: list[str]) -> None:
    """Outside of everything else, so that scripts can read refusals, too."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "traceparent", "x-api-key", "x-request-id", TIMEOUT_HEADER],
        expose_headers=["retry-after", "server-timing", "traceparent", "x-request-id", "x-variant"],
        max_age=3600,
    )


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _fields(found: Prediction) -> dict[str, object]:
    return {"label": found.label, "scores": Scores(**found.scores), "confidence": found.confidence}
