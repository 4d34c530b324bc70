"""Small VirtEngine services that are traced the way a service should be: through the public names of ``tracing_lib``."""
