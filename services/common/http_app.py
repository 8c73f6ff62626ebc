"""The app that every HTTP service begins with."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import StatelessLifespan

from services.common import docs_page, problems


def new_app(title: str, description: str, *, services: object, lifespan: StatelessLifespan[FastAPI]) -> FastAPI:
    """An app without routes: problems for errors, its documentation, nothing that tells what callers send.

    Args:
        title: Of the documentation.
        description: Of the documentation, in a sentence.
        services: What routes find at `request.app.state.services`.
        lifespan: What happens before the first request and after the last.
    """
    app = FastAPI(
        title=title,
        description=description,
        version="1",
        docs_url=None,
        redoc_url=None,
        servers=docs_page.RELATIVE_SERVERS,
        # A redirect's address would be absolute, and leave the path prefix under which a gateway serves the app.
        redirect_slashes=False,
        # FastAPI's own telemetry records validation errors with what was sent.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        lifespan=lifespan,
    )
    app.state.services = services
    docs_page.install(app)
    problems.install(app)
    return app
