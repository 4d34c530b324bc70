"""A plan placed: as processes, containers or objects of a cluster, and the outputs of each."""
