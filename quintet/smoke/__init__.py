"""Tries every service the way its users do, in the sandbox or in a deployed stack."""
