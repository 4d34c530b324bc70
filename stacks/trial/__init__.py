"""Trying a backbone that runs on this machine: a load whose every trace is known, and the account of it."""
