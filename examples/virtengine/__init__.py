"""VirtEngine in small: services that use the tracing library as real ones would."""
