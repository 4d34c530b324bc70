"""Clients of Waldur, Kubernetes and SLURM whose calls are spans."""
