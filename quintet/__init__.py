"""Operates what `stacks` declares and `services` run: the command, the sandbox, the checks."""
