"""The real Pulumi engine on the sandbox: where it keeps its state, how it is run, and what it has deployed."""
