"""Reusable components: each knows AWS and no service."""
