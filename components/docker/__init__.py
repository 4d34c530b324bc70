"""A plan as containers on one Docker host."""
