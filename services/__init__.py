"""The code that runs inside the containers."""
