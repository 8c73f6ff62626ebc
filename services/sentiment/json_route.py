"""A FastAPI route whose JSON body and answer go through pydantic's own parser and writer.

FastAPI documents it from the handler's signature as any other. Its own handling (dependencies, `json.loads`, then
validation, then a copy of the answer) takes several times as long as all that these routes need.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, get_type_hints

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.common.errors import UnsupportedMediaType
from services.common.request_body import read_body

BODY_SECONDS = 10.0
"""A client that takes longer to send its body is cut off."""

Handler = Callable[[Request, Any], Awaitable[BaseModel]]


class Body(Protocol):
    """A body's model: how it is parsed and how long it may be."""

    max_bytes: int

    def model_validate_json(self, json_data: bytes) -> BaseModel:
        """See `pydantic.BaseModel`."""
        ...


class JsonRoute(APIRoute):
    """For handlers `async def handler(request: Request, body: Model) -> Answer`; `Model.max_bytes` bounds the body.

    `request.state.identity` is who calls; who may not call has its answer before its body is read.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `fastapi.routing.APIRoute`."""
        handler: Handler = self.endpoint
        model: Body = get_type_hints(handler)["body"]

        async def handle(request: Request) -> Response:
            client = request.client.host if request.client else ""
            authorization = request.app.state.services.authorization
            request.state.identity = await authorization.identify(request.headers, client)
            answer = await handler(request, await _read(request, model))
            return Response(answer.__pydantic_serializer__.to_json(answer), media_type="application/json")

        return handle


async def _read(request: Request, model: Body) -> BaseModel:
    _require_json(request)
    content = await read_body(request.headers, request.receive, max_bytes=model.max_bytes, seconds=BODY_SECONDS)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        # Neither the caller's text nor a context that may quote it leaves this place.
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from None


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType("Send the body as Content-Type: application/json.")
