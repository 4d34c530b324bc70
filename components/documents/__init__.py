"""Builders of the servers' documents: pure functions of addresses and numbers that return canonical text."""
