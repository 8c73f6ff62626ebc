"""The errors a service answers with; each knows its HTTP status, and one place maps them to a body."""

from __future__ import annotations

from typing import ClassVar


class TextFreeError(Exception):
    """An error whose message never carries what a user sent, so that logs may show it."""


class ServiceError(TextFreeError):
    """Something a caller is told about: what was wrong, what is allowed, what to do.

    The message goes to the caller and into the logs.

    Attributes:
        status: The HTTP status of the answer.
        slug: The last part of the problem's type, stable for programs to match on.
        title: The same words for every problem of this type.
        retry_after_seconds: When it is worth trying again, where that is known.
    """

    status: ClassVar[int]
    slug: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class ModelUnavailable(ServiceError):  # noqa: N818 - says what is the case; the HTTP problem has the same name
    """No answer can be given because the model is absent, damaged or not the one that was published."""

    status = 503
    slug = "model-unavailable"
    title = "The model is not available"


class ContentTooLarge(ServiceError):  # noqa: N818 - named after its HTTP status
    """The body is larger than the service reads."""

    status = 413
    slug = "content-too-large"
    title = "The body is too large"


class UnsupportedMediaType(ServiceError):  # noqa: N818 - named after its HTTP status
    """The body is not declared as JSON."""

    status = 415
    slug = "unsupported-media-type"
    title = "The body's type is not supported"


class RequestTimeout(ServiceError):  # noqa: N818 - named after its HTTP status
    """The client sent its request too slowly."""

    status = 408
    slug = "request-timeout"
    title = "The request came too slowly"


class ClientGone(ServiceError):  # noqa: N818 - says what happened
    """Nobody waits for the answer any more; 499 is what nginx's log calls it."""

    status = 499
    slug = "client-gone"
    title = "The client went away"


class TooManyRequests(ServiceError):  # noqa: N818 - named after its HTTP status
    """The caller has used up what it may ask for."""

    status = 429
    slug = "too-many-requests"
    title = "Too many requests"


class Overloaded(ServiceError):  # noqa: N818 - says what is the case
    """The service has more to do than it can do in time."""

    status = 503
    slug = "overloaded"
    title = "The service is overloaded"


class DeadlineExceeded(ServiceError):  # noqa: N818 - says what happened
    """The answer would have come later than the caller waits for it."""

    status = 504
    slug = "deadline-exceeded"
    title = "The answer took too long"


class Unauthorized(ServiceError):  # noqa: N818 - named after its HTTP status
    """The caller has not shown who it is.

    Attributes:
        challenge: The value of the WWW-Authenticate header: how to show it.
    """

    status = 401
    slug = "unauthorized"
    title = "The caller is not known"

    def __init__(self, detail: str, *, challenge: str) -> None:
        super().__init__(detail)
        self.challenge = challenge


class AuthorizationUnavailable(ServiceError):  # noqa: N818 - says what is the case
    """Nobody's identity can be checked now."""

    status = 503
    slug = "authorization-unavailable"
    title = "Callers cannot be checked"


class InvalidHeader(ServiceError):  # noqa: N818 - says what is the case
    """A header of the request is not what it may be."""

    status = 400
    slug = "invalid-header"
    title = "A header is not valid"
