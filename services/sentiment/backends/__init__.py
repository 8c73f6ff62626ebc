"""What runs the model: `onnx`, `torch` or `mock`, behind one small protocol."""

from services.sentiment.backends.base import Backend, Encoded
from services.sentiment.backends.choice import Choice, choose_backend

__all__ = ["Backend", "Choice", "Encoded", "choose_backend"]
