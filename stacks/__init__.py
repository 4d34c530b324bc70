"""From an environment file to a running tracing backbone."""
