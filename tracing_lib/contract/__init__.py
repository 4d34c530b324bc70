"""The contract between a tracing stack and a service: outputs, and the settings that come from them."""
