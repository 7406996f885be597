"""A stand-in for NeMo, which these tests cannot install: what nav_torch meets of it, under NeMo's names."""
