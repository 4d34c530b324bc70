"""Rules that a company holds its tracing stacks to: the same for ``check --policies`` and for the Pulumi policy pack."""
