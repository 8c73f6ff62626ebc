"""Swagger UI at /docs from files of this image: nothing is loaded from another host, every address is relative.

API Gateway may serve the app below a path (a stage, or the emulator's /_aws/execute-api/<id>/) that the app never
sees, so an absolute path would leave it.
"""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

RELATIVE_SERVERS = [{"url": ".", "description": "Where this document was read"}]
"""For `FastAPI(servers=...)`: resolved by clients against the address of openapi.json."""

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}


def install(app: FastAPI) -> None:
    """Adds /docs and its assets; the app is made with `docs_url=None, redoc_url=None, servers=RELATIVE_SERVERS`."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="docs/favicon.png",
        )

    @app.get("/docs/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404)
        # fastapi-offline carries Swagger UI's files; only they are used, as its page assumes the root path.
        content = resources.files("fastapi_offline").joinpath("static", name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})
