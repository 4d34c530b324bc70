"""The plan of an environment: which workloads run, and who may talk to whom."""
