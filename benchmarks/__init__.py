"""What the documentation claims to be fast, measured. `python -m benchmarks` prints the table of docs/benchmarks.md."""
