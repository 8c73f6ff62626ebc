"""W3C trace context: what came in is continued, else begun."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def continue_trace(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that pass a trace on: `traceparent` with a span of our own, and `tracestate` where one came in.

    Args:
        headers: The request's headers, names in lower case. A malformed `traceparent` begins a new trace, as
            https://www.w3.org/TR/trace-context/ says.
    """
    parent = get_current_span(_PROPAGATOR.extract(dict(headers), Context())).get_span_context()
    span = SpanContext(
        trace_id=parent.trace_id if parent.is_valid else secrets.randbits(128) or 1,
        span_id=secrets.randbits(64) or 1,
        is_remote=False,
        trace_flags=parent.trace_flags if parent.is_valid else TraceFlags(TraceFlags.DEFAULT),
        trace_state=parent.trace_state if parent.is_valid else None,
    )
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, set_span_in_context(NonRecordingSpan(span), Context()))
    return carrier
