"""Which backend runs the model: the one that is asked for, or the first that can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.common.artifacts import LocalModel
from services.common.errors import ModelUnavailable
from services.sentiment.backends.base import Backend
from services.sentiment.backends.mock import MockBackend

AUTO = "auto"
LABELS = ("negative", "neutral", "positive")
"""In the order of the logits."""


class NotInstalled(ModelUnavailable):
    """The runtime of a backend is not there."""


@dataclass(frozen=True)
class Choice:
    """What runs the model, and why what would have come first does not."""

    backend: Backend
    tried: Mapping[str, str] = field(default_factory=dict)


def choose_backend(name: str, model: LocalModel, *, threads: int) -> Choice:
    """Loads the model into the backend of this name.

    Args:
        name: `onnx`, `torch` or `mock`, or `auto`: the first of them that works. `auto` takes `mock` only where neither
            runtime is installed: a model that a runtime refuses must show, not be covered up by a list of words.
        model: What `services.common.artifacts` verified.
        threads: CPUs that may be used.

    Raises:
        ModelUnavailable: No backend of those asked for can run this model; says why for each.
    """
    if model.manifest.labels != LABELS:
        raise ModelUnavailable(
            f"manifest.json names the wrong labels: expected {', '.join(LABELS)}, "
            f"found {', '.join(model.manifest.labels)}."
        )
    tried: dict[str, str] = {}
    refused = False
    for candidate in _candidates(name):
        if candidate == "mock" and refused:
            continue
        try:
            return Choice(_LOADERS[candidate](model, threads), tried)
        except NotInstalled as error:
            tried[candidate] = error.detail
        except ModelUnavailable as error:
            tried[candidate] = error.detail
            refused = True
    reasons = " ".join(f"{candidate}: {reason}" for candidate, reason in tried.items())
    raise ModelUnavailable(f"No backend can run the model. {reasons}")


def _candidates(name: str) -> tuple[str, ...]:
    if name == AUTO:
        return tuple(_LOADERS)
    if name not in _LOADERS:
        raise ModelUnavailable(f"There is no backend {name!r}; choose one of {AUTO}, {', '.join(_LOADERS)}.")
    return (name,)


def _onnx(model: LocalModel, threads: int) -> Backend:
    try:
        from services.sentiment.backends.onnx import OnnxBackend  # noqa: PLC0415 - may be absent, see below
    except ImportError as error:
        raise NotInstalled(f"{error.name} is not installed: pip install 'quintet[sentiment]'.") from error
    return OnnxBackend(model, threads=threads)


def _torch(model: LocalModel, threads: int) -> Backend:
    try:
        from services.sentiment.backends.torch import TorchBackend  # noqa: PLC0415 - 4.7 GB that are optional
    except ImportError as error:
        raise NotInstalled(f"{error.name} is not installed: pip install 'quintet[sentiment,torch]'.") from error
    return TorchBackend(model, threads=threads)


def _mock(model: LocalModel, threads: int) -> Backend:
    return MockBackend(model, threads=threads)


_LOADERS: Mapping[str, Callable[[LocalModel, int], Backend]] = {"onnx": _onnx, "torch": _torch, "mock": _mock}
