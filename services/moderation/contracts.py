"""Requests and answers of the moderation API."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.moderation.policy import Label

MAX_TEXT_CHARACTERS = 5000
MAX_BATCH_TEXTS = 32
# JSON may escape each character, those beyond the basic plane with two escapes of six bytes.
MAX_BODY_BYTES = MAX_BATCH_TEXTS * MAX_TEXT_CHARACTERS * 12 + 65_536

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS, examples=["Thanks, that was kind of you."])]
Score = Annotated[float, Field(ge=0, le=1)]


class ModerateRequest(BaseModel):
    """One text to judge."""

    model_config = ConfigDict(extra="forbid")

    text: Text


class ModerateBatchRequest(BaseModel):
    """Several texts to judge in one call."""

    model_config = ConfigDict(extra="forbid")

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_BATCH_TEXTS)]


class Scores(BaseModel):
    """The six labels of the Jigsaw toxic comment data, each from 0 to 1 and independent of the others."""

    toxic: Score
    severe_toxic: Score
    obscene: Score
    threat: Score
    insult: Score
    identity_hate: Score


class ModerateResponse(BaseModel):
    """The judgement of one text."""

    is_toxic: Annotated[bool, Field(description="Whether any category reaches the policy's threshold")]
    scores: Scores
    flagged_categories: Annotated[list[Label], Field(description="The categories that reach their thresholds")]
    confidence: Annotated[
        float,
        Field(ge=0, le=1, description="The highest flagged score; for a text that is not toxic, 1 - the highest score"),
    ]
    model_version: str
    policy_version: str


class ModerateBatchResponse(BaseModel):
    """One judgement a text, in the order of the request."""

    results: list[ModerateResponse]


class Liveness(BaseModel):
    """The process answers."""

    status: Annotated[str, Field(examples=["ok"])] = "ok"


class Readiness(BaseModel):
    """The model is loaded and is what was published."""

    status: Annotated[str, Field(examples=["ready"])] = "ready"
    model_version: str
