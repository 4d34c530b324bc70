"""Copies of stored traces in files: written from a store, and put into another."""
