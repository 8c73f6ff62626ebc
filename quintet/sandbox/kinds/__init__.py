"""The kinds of resources that the sandbox makes, grouped by AWS service; each is registered by its type token."""
