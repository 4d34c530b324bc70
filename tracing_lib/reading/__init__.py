"""Traces that were stored, read back."""
