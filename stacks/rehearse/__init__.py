"""Recorded traces, sent through the real gateway collector under two environments, and what each keeps of them."""
