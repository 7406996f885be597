"""Classes and types."""
