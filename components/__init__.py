"""What a tracing backbone is made of: workloads, the documents of its servers, and their placements."""
