"""What the decision log costs a caller: the answer's time with a log that is quick, and with one that takes 200 ms."""

import asyncio
import base64
import json
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from aiohttp import web

from benchmarks.local_function import local_function
from benchmarks.measurement import Measurement

CALLS = 40
SLOW_SECONDS = 0.2


def measure() -> Iterator[Measurement]:
    """Difference of the medians; each call begins when the write of the one before is over."""
    quick, slow = (asyncio.run(_median_answer(seconds)) for seconds in (0.0, SLOW_SECONDS))
    yield Measurement(
        claim="answer delayed by a log that takes 200 ms", value=(slow - quick) * 1000, unit="ms", goal=10
    )


async def _median_answer(log_seconds: float) -> float:
    taken: list[float] = []
    written: list[str] = []
    async with _aws(log_seconds, written) as url, local_function(url) as function:
        for _ in range(CALLS):
            begin = time.perf_counter()
            await function.moderate()
            taken.append(time.perf_counter() - begin)
            await asyncio.sleep(log_seconds + 0.05)
    if len(written) < CALLS:
        raise RuntimeError(f"only {len(written)} of {CALLS} decisions were written: nothing was measured")
    return statistics.median(taken[5:])


@asynccontextmanager
async def _aws(seconds: float, written: list[str]) -> AsyncIterator[str]:
    """KMS and DynamoDB as far as the log calls them, each call taking so long."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if operation == "BatchWriteItem":
            written.append(operation)
        mac = {"Mac": base64.b64encode(bytes(32)).decode(), "MacAlgorithm": "HMAC_SHA_256", "KeyId": "key"}
        body = {"GenerateMac": mac, "BatchWriteItem": {"UnprocessedItems": {}}}.get(operation, {})
        return web.Response(text=json.dumps(body), content_type="application/x-amz-json-1.0")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
