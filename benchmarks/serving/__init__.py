"""Servers of one and the same large model under load, and the model alone: the set-up of benchmarks/sentiment_*.py."""
