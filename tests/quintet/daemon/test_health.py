"""Whether services answer, against servers that take their time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from quintet.sandbox.health import Health


@asynccontextmanager
async def service(*seconds: float) -> AsyncIterator[str]:
    """A service whose answers take so long, one after another; the last time holds for all that follow."""
    waits = list(seconds)

    async def health(_: web.Request) -> web.Response:
        await asyncio.sleep(waits.pop(0) if len(waits) > 1 else waits[0])
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_service_that_has_to_start_first_is_waited_for_once() -> None:
    health = Health()
    async with service(0.8) as url:
        await health.look({"slow": url})

        assert health.of("slow") == {"state": "healthy"}


async def test_a_service_that_is_known_keeps_nobody_waiting() -> None:
    health = Health()
    async with service(0, 2.0) as url:
        await health.look({"busy": url})
        began = time.monotonic()

        await health.look({"busy": url})

        assert time.monotonic() - began < 1.5
        assert health.of("busy") == {"state": "healthy"}
        await health.stop()


async def test_a_service_that_is_gone_is_unhealthy_with_the_reason() -> None:
    health = Health()
    async with service(0) as url:
        pass

    await health.look({"gone": url})

    assert health.of("gone")["state"] == "unhealthy"
    assert f"GET {url}/health" in health.of("gone")["reason"]
