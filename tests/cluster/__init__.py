"""The rendered objects on a real Kubernetes: an API server alone, and a whole node."""
