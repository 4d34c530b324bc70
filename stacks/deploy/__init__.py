"""Deploying with the Pulumi engine, and what to do when that goes wrong."""
