"""The moderation API: FastAPI in Lambda, behind an HTTP API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.handlers import HTTPGateway

from services.common import problems
from services.common.errors import UnsupportedMediaType
from services.common.http import Exchange, HttpConventions
from services.common.http_app import new_app
from services.common.lambda_environment import LambdaEnvironment
from services.common.problems import documented
from services.moderation.contracts import (
    MAX_BODY_BYTES,
    Liveness,
    ModerateBatchRequest,
    ModerateBatchResponse,
    ModerateRequest,
    ModerateResponse,
    Readiness,
    Scores,
)
from services.moderation.decisions import Decision, new_decision_id
from services.moderation.policy import Judgement
from services.moderation.settings import Settings
from services.moderation.wiring import Services

if TYPE_CHECKING:
    from services.moderation.moderator import Moderator

MODEL_WAIT_SECONDS = 20.0
"""A request waits this long for a model that is being loaded; an HTTP API gives up after 30 s."""
INIT_WAIT_SECONDS = 8.0
"""Lambda starts a function anew whose initialisation takes 10 s."""
FLUSH_SECONDS = 10.0
"""How long a server that is told to stop (outside Lambda) goes on writing decisions."""

# Routes and dependencies are coroutines although the model blocks: a Lambda instance serves one request at a time,
# and FastAPI would run plain functions in a pool of threads, which costs more than it could gain.
router = APIRouter()


async def require_json(request: Request) -> None:
    """Refuses a body that does not say it is JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType("Send the body as Content-Type: application/json.")


@router.post("/moderate", responses=documented(400, 413, 415, 422, 503), dependencies=[Depends(require_json)])
async def moderate(body: ModerateRequest, request: Request, response: Response) -> ModerateResponse:
    """Judges one text; `X-Decision-Id` names the decision in the log."""
    (answer,) = _judge([body.text], request, response)
    return answer


@router.post("/moderate/batch", responses=documented(400, 413, 415, 422, 503), dependencies=[Depends(require_json)])
async def moderate_batch(body: ModerateBatchRequest, request: Request, response: Response) -> ModerateBatchResponse:
    """Judges up to 32 texts, one answer a text in their order; so are the ids in `X-Decision-Id`."""
    return ModerateBatchResponse(results=_judge(body.texts, request, response))


@router.get("/health")
async def health() -> Liveness:
    """Whether the process answers; says nothing about the model."""
    return Liveness()


@router.get("/ready", responses=documented(503))
async def ready(request: Request) -> Readiness:
    """Whether the model is loaded and is, by its checksums, the one that was published."""
    return Readiness(model_version=_moderator(request).model_version)


def create_app(services: Services) -> FastAPI:
    """The app over services that are already there."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        services.after.close(timeout_seconds=FLUSH_SECONDS)

    app = new_app(
        "Quintet moderation", "Is this text toxic, and in which of six ways?", services=services, lifespan=lifespan
    )
    app.include_router(router)
    app.add_middleware(HttpConventions, logger=services.logger, metrics=services.metrics, max_body_bytes=MAX_BODY_BYTES)
    return app


def _judge(texts: Sequence[str], request: Request, response: Response) -> list[ModerateResponse]:
    services: Services = request.app.state.services
    exchange: Exchange = request.state.exchange
    moderator = _moderator(request)
    with exchange.timed("model"):
        judgements = moderator.judge(texts)
    decisions = [
        _decision(text, judgement, moderator, exchange) for text, judgement in zip(texts, judgements, strict=True)
    ]
    services.after.submit(partial(services.write_decisions, decisions))
    exchange.count("Flagged", sum(judgement.is_toxic for judgement in judgements))
    response.headers["X-Decision-Id"] = ",".join(decision.decision_id for decision in decisions)
    return [_answer(judgement, moderator) for judgement in judgements]


def _moderator(request: Request) -> Moderator:
    """The loaded model; waits for it, but never so long that Lambda or the gateway would cut the answer off."""
    services: Services = request.app.state.services
    exchange: Exchange = request.state.exchange
    context = request.scope.get("aws.context")
    remaining = context.get_remaining_time_in_millis() / 1000 - 1 if context else MODEL_WAIT_SECONDS
    with exchange.timed("load"):
        return services.model.get(timeout_seconds=max(0.0, min(MODEL_WAIT_SECONDS, remaining)))


def _decision(text: str, judgement: Judgement, moderator: Moderator, exchange: Exchange) -> Decision:
    return Decision(
        decision_id=new_decision_id(),
        decided_at=datetime.now(UTC),
        text=text,
        judgement=judgement,
        model_version=moderator.model_version,
        policy_version=moderator.policy.version,
        request_id=exchange.request_id,
    )


def _answer(judgement: Judgement, moderator: Moderator) -> ModerateResponse:
    return ModerateResponse(
        is_toxic=judgement.is_toxic,
        scores=Scores.model_validate(judgement.scores),
        flagged_categories=list(judgement.flagged),
        confidence=judgement.confidence,
        model_version=moderator.model_version,
        policy_version=moderator.policy.version,
    )


class _Gateway(HTTPGateway):
    """Mangum encodes the body strictly and would fail outside the app on what is not Unicode; the app answers 400."""

    @property
    def body(self) -> bytes:
        body = self.event.get("body") or ""
        if self.event.get("isBase64Encoded", False):
            return super().body
        return body.encode(errors="surrogatepass")


@cache
def _adapter() -> tuple[Mangum, Services]:
    services = Services(Settings(), LambdaEnvironment.read())
    text_types = [*DEFAULT_TEXT_MIME_TYPES, problems.MEDIA_TYPE]
    adapter = Mangum(create_app(services), lifespan="off", custom_handlers=[_Gateway], text_mime_types=text_types)
    return adapter, services


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's context has no type
    """Lambda's entry point."""
    adapter, services = _adapter()
    try:
        return adapter(event, context)
    finally:
        services.after.answered()


if LambdaEnvironment.read().runtime_api is not None:
    # Lambda initialises with all CPU at hand and takes extensions only then.
    loading = _adapter()[1].model.start()
    if loading is not None:
        loading.join(INIT_WAIT_SECONDS)
