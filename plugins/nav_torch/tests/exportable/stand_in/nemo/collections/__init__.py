"""Collections of models."""
