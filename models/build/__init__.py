"""Builds the starter models: text from templates, tokenizer, small transformer, int8 ONNX, manifest, card."""
