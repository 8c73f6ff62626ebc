"""The model alone, without any server: what onnxruntime reaches on this machine with the same texts.

python -m benchmarks.serving.bare FOLDER THREADS SECONDS

Prints a JSON object: `items_per_second` over batches of the best size, sorted by length as a server with 64 waiting
requests could at best form them, by one session that uses all threads or by one inference a thread, whichever is
faster; and `lone_p50_ms`, one text at a time with all threads.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

WAITING = 64
"""Texts that are there to choose from: one of each client."""

BATCH_TOKENS = (512, 1024, 2048, 4096, 8192)
"""Padded tokens of a batch; the best of these is taken."""


def texts_of(folder: Path) -> list[str]:
    """The texts that every server is sent."""
    return [json.loads(line) for line in (folder / "texts.jsonl").read_text().splitlines()]


def session_of(folder: Path, threads: int) -> onnxruntime.InferenceSession:
    """onnxruntime as it comes, with so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(folder / "int8" / "model.onnx"), options)


def sorted_batches(encoded: list[list[int]], budget: int) -> Iterator[list[list[int]]]:
    """Of each WAITING texts the shortest first, as many as fit the budget when padded to their longest."""
    for begin in range(0, len(encoded), WAITING):
        waiting = encoded[begin : begin + WAITING]
        batch: list[list[int]] = []
        for ids in sorted(waiting, key=len):
            if batch and (len(batch) + 1) * len(ids) > budget:
                yield batch
                batch = []
            batch.append(ids)
        yield batch


def run(session: onnxruntime.InferenceSession, batch: list[list[int]]) -> None:
    """One inference over texts padded to the longest of them."""
    ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    session.run(["logits"], {"input_ids": ids, "attention_mask": mask})


def items_per_second(
    session: onnxruntime.InferenceSession, batches: list[list[list[int]]], workers: int, span: float
) -> float:
    """Texts through the model in a second, over `span` seconds, by so many threads that take batch after batch."""
    begin = time.perf_counter()
    waiting = cycle(batches)

    def work(_: int) -> int:
        count = 0
        while time.perf_counter() - begin < span:
            batch = next(waiting)  # in one step of the interpreter, so threads may share it
            run(session, batch)
            count += len(batch)
        return count

    with ThreadPoolExecutor(workers) as pool:
        count = sum(pool.map(work, range(workers)))
    return count / (time.perf_counter() - begin)


def lone_p50_ms(session: onnxruntime.InferenceSession, encoded: list[list[int]], span: float) -> float:
    """Median of one text at a time, encoded already."""
    end, taken = time.perf_counter() + span, []
    for ids in cycle(encoded):
        begin = time.perf_counter()
        run(session, [ids])
        taken.append(time.perf_counter() - begin)
        if begin > end:
            return statistics.median(taken) * 1000
    raise ValueError("there are no texts")


def main(folder: Path, threads: int, span: float) -> dict[str, float]:
    """Both figures."""
    tokenizer = Tokenizer.from_file(str(folder / "int8" / "tokenizer.json"))
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(texts_of(folder)[:8000])]
    sessions = {1: session_of(folder, threads), threads: session_of(folder, 1)}
    batches = {budget: list(sorted_batches(encoded, budget)) for budget in BATCH_TOKENS}
    ways = [(workers, budget) for workers in sessions for budget in BATCH_TOKENS]
    for session in sessions.values():
        for batch in islice(batches[max(BATCH_TOKENS)], 4):
            run(session, batch)

    def speed(way: tuple[int, int], seconds: float) -> float:
        workers, budget = way
        return items_per_second(sessions[workers], batches[budget], workers, seconds)

    best = max(ways, key=lambda way: speed(way, span / len(ways)))
    return {
        "items_per_second": speed(best, span),
        "workers": best[0],
        "batch_tokens": best[1],
        "lone_p50_ms": lone_p50_ms(sessions[1], encoded, span / 2),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
