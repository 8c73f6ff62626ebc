"""Writes a text classifier of DistilBERT's size with random weights: speed does not depend on what they are.

Runs in `.venv-bench` (torch, transformers): python benchmarks/serving/make_model.py FOLDER

FOLDER/hf             config, fp32 weights and tokenizer as transformers reads them (67 M parameters, 3 labels)
FOLDER/int8           model.onnx (dynamic int8), tokenizer.json and manifest.json as Quintet's services read them
FOLDER/texts.jsonl    20 000 texts of 8 to 128 tokens, uniformly, no two alike, so that no cache can help
"""

import hashlib
import json
import random
import string
import sys
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

LABELS = ("negative", "neutral", "positive")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TEXTS, SHORTEST, LONGEST = 20_000, 8, 128
VERSION = "benchmark"


class Logits(torch.nn.Module):
    """A classifier that answers a tensor and no object of transformers."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """int64 [batch, length] twice to float32 [batch, 3]."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def vocabulary(chance: random.Random, size: int) -> dict[str, int]:
    """Made-up words beside the special tokens and the letters."""
    words = dict.fromkeys((*SPECIAL, *string.ascii_lowercase))
    while len(words) < size:
        words["".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 8)))] = None
    return {word: number for number, word in enumerate(words)}


def tokenizer_of(words: dict[str, int]) -> Tokenizer:
    """WordPiece over these words, with BERT's special tokens."""
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    around = [("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    return tokenizer


def write_for_transformers(folder: Path, model: DistilBertForSequenceClassification, tokenizer: Tokenizer) -> None:
    """The folder that `transformers.pipeline` takes."""
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    inputs = ["input_ids", "attention_mask"]  # DistilBERT knows no token types
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, mask_token="[MASK]", model_max_length=512, model_input_names=inputs, **names
    )
    model.save_pretrained(folder)
    fast.save_pretrained(folder)


def write_int8(folder: Path, model: DistilBertForSequenceClassification, tokenizer: Tokenizer) -> None:
    """The folder that Quintet's services take."""
    folder.mkdir(parents=True, exist_ok=True)
    exact = folder / "fp32.onnx"
    example = (torch.randint(5, 1000, (2, 16)), torch.ones(2, 16, dtype=torch.long))
    free = {0: torch.export.Dim("batch", max=4096), 1: torch.export.Dim("length", min=2, max=512)}
    torch.onnx.export(
        Logits(model),
        example,
        str(exact),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_shapes={"input_ids": free, "attention_mask": free},
        external_data=False,
    )
    graph = onnx.load(exact)
    del graph.graph.value_info[:]  # shapes that the quantizer finds to be at odds with its own
    onnx.save(graph, exact)
    quantize_dynamic(exact, folder / "model.onnx", weight_type=QuantType.QInt8)
    exact.unlink()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    """What services.common.artifacts checks the files by."""
    files = {
        name: {
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            "bytes": (folder / name).stat().st_size,
        }
        for name in ("model.onnx", "tokenizer.json")
    }
    manifest = {
        "name": "sentiment",
        "version": VERSION,
        "files": files,
        "labels": LABELS,
        "max_length": LONGEST,
        "architecture": "DistilBERT-base, dynamic int8",
        "license": "Apache-2.0",
        "source": "random weights",
        "metrics": {},
        "created": "2026-01-01T00:00:00Z",
        "git_sha": "0" * 40,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))


def write_texts(path: Path, words: dict[str, int], chance: random.Random) -> None:
    """One text a line, as JSON. [CLS] and [SEP] are two of its tokens."""
    pool = list(words)[len(SPECIAL) + len(string.ascii_lowercase) :]
    lengths = [chance.randint(SHORTEST, LONGEST) - 2 for _ in range(TEXTS)]
    path.write_text("".join(json.dumps(" ".join(chance.choices(pool, k=length))) + "\n" for length in lengths))


def main(folder: Path) -> None:
    """Everything of the folder."""
    chance = random.Random(0)
    torch.manual_seed(0)
    labels = dict(enumerate(LABELS))
    config = DistilBertConfig(num_labels=len(LABELS), id2label=labels, label2id={v: k for k, v in labels.items()})
    model = DistilBertForSequenceClassification(config).eval()
    words = vocabulary(chance, config.vocab_size)
    tokenizer = tokenizer_of(words)
    write_for_transformers(folder / "hf", model, tokenizer)
    write_int8(folder / "int8", model, tokenizer)
    write_texts(folder / "texts.jsonl", words, chance)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
