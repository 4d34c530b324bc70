"""The plan of an environment: its workloads and the edges between them."""
