"""Foundations of every room: errors, names of the conventions, hosts, the background threads."""
