"""Where in the program an exception was raised."""

import asyncio
import traceback
from collections.abc import Awaitable, Coroutine, Generator
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from pulumi import RunError

from quintet.sandbox.engine.errors import ProgramError, SandboxError


class Places:
    """Notes where exceptions leave the program's code, as soon as they do.

    An exception in an `apply` passes through several futures on its way out, and asyncio drops its traceback when
    the second one raises it; so each task notes the place itself.
    """

    def __init__(self, program: Path) -> None:
        self._program = program
        self._noted: list[tuple[BaseException, str]] = []

    def task_factory(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        /,
        **options: Any,  # noqa: ANN401  asyncio's own
    ) -> asyncio.Task[Any]:
        """For `loop.set_task_factory`."""
        return asyncio.Task(self._noting(cast("Awaitable[Any]", coroutine)), loop=loop, **options)

    def told(self, error: BaseException) -> SandboxError:
        """An exception of the program as one that is told by its message: the place, the type and what it says.

        `pulumi.RunError` says of itself that its message is enough.
        """
        if isinstance(error, SandboxError):
            return error
        if isinstance(error, RunError):
            return ProgramError(str(error))
        if isinstance(error, SyntaxError) and error.filename:
            return ProgramError(f"{error.filename}:{error.lineno}: SyntaxError: {error.msg}")
        self._note(error)
        place = next((place for noted, place in self._noted if noted is error), str(self._program))
        return ProgramError(f"{place}: {type(error).__name__}: {error}")

    async def _noting(self, coroutine: Awaitable[Any]) -> Any:  # noqa: ANN401
        try:
            return await coroutine
        except Exception as error:
            self._note(error)
            raise

    def _note(self, error: BaseException) -> None:
        is_new = all(noted is not error for noted, _ in self._noted)
        if is_new and (place := self._place(error.__traceback__)):
            self._noted.append((error, place))

    def _place(self, trace: TracebackType | None) -> str | None:
        frames = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).is_relative_to(self._program)]
        return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
