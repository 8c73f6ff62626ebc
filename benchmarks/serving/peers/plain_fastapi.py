"""What most begin with: FastAPI around `transformers.pipeline`. MODEL names the folder; `uvicorn plain_fastapi:app`."""

import os

from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

classify = pipeline("text-classification", model=os.environ["MODEL"], top_k=None, device="cpu")
app = FastAPI()


class Request(BaseModel):
    """One text."""

    text: str


@app.post("/predict")
def predict(request: Request) -> dict[str, float]:
    """A score a label."""
    (scores,) = classify([request.text])
    return {score["label"]: score["score"] for score in scores}
