"""Every error as application/problem+json (RFC 9457), mapped in this one place."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.common.errors import RequestTimeout, ServiceError, Unauthorized

MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One thing that is wrong with the request's body; never quotes it."""

    pointer: Annotated[str, Field(description="JSON pointer into the body", examples=["#/texts/3"])]
    detail: Annotated[str, Field(description="What is allowed there")]


class Problem(BaseModel):
    """A problem as RFC 9457 describes it."""

    type: Annotated[str, Field(description="Stable for programs to match on", examples=["about:blank"])] = "about:blank"
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Annotated[str, Field(description="What was wrong, what is allowed, what to do")]
    request_id: Annotated[str, Field(description="Names this request in the service's logs")]
    errors: Annotated[list[Fault], Field(description="What is wrong with the body, where it is the body")] = []


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses for a route's `responses`, each with a problem as its body."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema(ref_template="#/components/schemas/{model}")}}
    content[MEDIA_TYPE]["schema"].pop("$defs", None)
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Makes the app answer its own errors and those of the framework with problems."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


def response(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """The problem as an answer."""
    return Response(problem.model_dump_json(), problem.status, headers, media_type=MEDIA_TYPE)


def of_error(error: ServiceError, request_id: str) -> Response:
    """A service's own error as an answer, with Retry-After where the error knows it."""
    problem = Problem(
        type=f"urn:problem-type:{error.slug}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        request_id=request_id,
    )
    return response(problem, _headers(error))


def _headers(error: ServiceError) -> dict[str, str]:
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = error.challenge
    if isinstance(error, RequestTimeout):
        # What is left of the request would be read as the next one.
        headers["Connection"] = "close"
    return headers


def of_status(status: int, detail: str, request_id: str, headers: dict[str, str] | None = None) -> Response:
    """A plain HTTP error as an answer."""
    title = HTTPStatus(status).phrase
    return response(Problem(title=title, status=status, detail=detail, request_id=request_id), headers)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this class only; tells mypy
    request.state.exchange.error = error
    return of_error(error, request.state.request_id)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only; tells mypy
    details = {
        404: "There is nothing at this path; /docs lists what there is.",
        405: "This path does not answer to this method; the Allow header lists those it does.",
        400: "The body cannot be read as JSON; send UTF-8 encoded JSON.",
    }
    detail = details.get(error.status_code, HTTPStatus(error.status_code).phrase)
    return of_status(error.status_code, detail, request.state.request_id, dict(error.headers or {}))


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only; tells mypy
    faults = [_fault(fault) for fault in error.errors()]
    problem = Problem(
        type="urn:problem-type:invalid-request",
        title="The request is not valid",
        status=422,
        detail=" ".join(f"{fault.pointer}: {fault.detail}" for fault in faults),
        request_id=request.state.request_id,
        errors=faults,
    )
    return response(problem)


def _fault(error: dict[str, Any]) -> Fault:
    """Drops what pydantic quotes: the input, and the names of fields that the caller made up."""
    match error["type"]:
        case "json_invalid":
            return Fault(pointer="#", detail="The body is not valid JSON.")
        case "extra_forbidden":
            return Fault(pointer=_pointer(error["loc"][:-1]), detail="An unknown field; /docs lists the known ones.")
        case _:
            return Fault(pointer=_pointer(error["loc"]), detail=f"{error['msg']}.")


def _pointer(location: Sequence[str | int]) -> str:
    """("body", "texts", 3) -> "#/texts/3"."""
    return "/".join(["#", *(str(part) for part in location[1:])])
