"""JSON logs with the request's ids in every line, and without what a user sent."""

from __future__ import annotations

import logging
import sys
import traceback
from functools import cache
from types import TracebackType
from typing import TypeAlias

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from services.common.errors import TextFreeError

_ExceptionInfo: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]"


class TextFreeFormatter(LambdaPowertoolsFormatter):
    """Writes where an exception came from, but not a library's message: those quote what they were given."""

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 - overrides logging.Formatter
        """The exception's frames, outermost first, and its type; its message only where it is a `TextFreeError`."""
        kind, error, where = ei
        if kind is None:
            return ""
        frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(where)]
        said = f"{kind.__name__}: {error}" if isinstance(error, TextFreeError) else kind.__name__
        return " > ".join([*frames, said])


class StandardOutput(logging.Handler):
    """Writes to what standard output is at that moment: awslambdaric exchanges it, and so do tests."""

    def emit(self, record: logging.LogRecord) -> None:
        """One write a line, so that lines of two threads never mix; none waits in a buffer while Lambda freezes."""
        sys.stdout.write(self.format(record) + "\n")
        sys.stdout.flush()


def service_logger(service: str, level: str) -> Logger:
    """The service's logger: one JSON object a line on standard output.

    Args:
        service: The name that every line carries.
        level: DEBUG, INFO, WARNING or ERROR; for our own lines only. Libraries never log below WARNING: at DEBUG
            they write requests and answers.
    """
    logger = _logger(service)
    logger.setLevel(level)
    return logger


@cache
def _logger(service: str) -> Logger:
    # Loggers are one a name for the whole process; powertools sets up only the first.
    logging.getLogger("mangum").setLevel(logging.WARNING)
    formatter = TextFreeFormatter(use_rfc3339=True, utc=True, serialize_stacktrace=False)
    logger = Logger(service=service, logger_formatter=formatter, logger_handler=StandardOutput())
    # Lambda's own handler, at the root, would write every line again, in its format and with exceptions in full.
    logging.getLogger(service).propagate = False
    return logger
