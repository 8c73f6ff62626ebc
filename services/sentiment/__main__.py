"""`python -m services.sentiment`: the process of a pod."""

from __future__ import annotations

import sys

from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.common.logging import service_logger
from services.sentiment.app import create_app
from services.sentiment.server import server
from services.sentiment.settings import Settings
from services.sentiment.wiring import Services


def main() -> None:
    """Serves until it is told to stop."""
    settings = _settings()
    # uvicorn's own lines, few as they are, in the form of all others.
    service_logger("uvicorn.error", "WARNING")
    services = Services(settings)
    server(
        create_app(services),
        host=settings.host,
        port=settings.port,
        drain_seconds=settings.drain_seconds,
        request_timeout_ms=settings.request_timeout_ms,
        on_drain=services.health.drain,
        logger=services.logger,
    ).run()


def _settings() -> Settings:
    try:
        return Settings()
    except (ValidationError, SettingsError) as error:
        sys.exit(f"The environment does not say all that this service needs, or says it wrongly. {error}")


if __name__ == "__main__":
    main()
