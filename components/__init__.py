"""Components of a tracing backbone: workloads, the documents of its servers, and their placements."""
