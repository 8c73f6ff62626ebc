"""Requests and answers of the sentiment API."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_TEXT_CHARACTERS = 5000
MAX_BATCH_TEXTS = 128
# JSON may escape each character, those beyond the basic plane with two escapes of six bytes.
MAX_TEXT_BYTES = MAX_TEXT_CHARACTERS * 12 + 4096
MAX_BATCH_BYTES = MAX_BATCH_TEXTS * MAX_TEXT_CHARACTERS * 12 + 65_536

LABELS = ("negative", "neutral", "positive")
"""In the order of the model's logits."""

Label = Literal["negative", "neutral", "positive"]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS, examples=["What a lovely surprise!"])]
Score = Annotated[float, Field(ge=0, le=1)]


class PredictRequest(BaseModel):
    """One text."""

    model_config = ConfigDict(extra="forbid")
    max_bytes: ClassVar[int] = MAX_TEXT_BYTES

    text: Text


class PredictBatchRequest(BaseModel):
    """Several texts in one call."""

    model_config = ConfigDict(extra="forbid")
    max_bytes: ClassVar[int] = MAX_BATCH_BYTES

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_BATCH_TEXTS)]


class Scores(BaseModel):
    """A probability for each label; they add up to 1."""

    negative: Score
    neutral: Score
    positive: Score


class Sentiment(BaseModel):
    """What one text expresses."""

    label: Annotated[Label, Field(description="The label with the highest score")]
    scores: Scores
    confidence: Annotated[float, Field(ge=0, le=1, description="The score of the label")]


class PredictResponse(Sentiment):
    """What the text expresses, and what said so."""

    model_version: str


class PredictBatchResponse(BaseModel):
    """One result a text, in the order of the request."""

    results: list[Sentiment]
    model_version: str


class Liveness(BaseModel):
    """The process answers and its inference moves."""

    status: Annotated[str, Field(examples=["ok"])] = "ok"


class Readiness(BaseModel):
    """The model is verified, warm and answers."""

    status: Annotated[str, Field(examples=["ready"])] = "ready"
    model_version: str


class Health(BaseModel):
    """The service can answer."""

    status: Annotated[str, Field(examples=["healthy"])] = "healthy"
    model_version: str
    backend: str
    draining: Annotated[bool, Field(description="Whether the process was told to stop and serves what still comes")]
    queued_texts: Annotated[int, Field(ge=0)]


class ModelInfo(BaseModel):
    """The model that answers and what runs it."""

    name: str
    version: str
    labels: list[str]
    max_length: Annotated[int, Field(description="Tokens that are read of a text; what is longer is cut off")]
    architecture: str
    license: str
    source: str
    created: str
    git_sha: str
    metrics: dict[str, Any]
    files: Annotated[dict[str, str], Field(description="SHA-256 of each of the model's files")]
    backend: Annotated[str, Field(description="What runs the model")]
    device: Annotated[str, Field(description="Where it computes", examples=["cpu", "cuda"])]
    tried: Annotated[dict[str, str], Field(description="Backends that came first and why they do not run it")]
    loaded_at: str
