"""The Kubernetes placement: a plan as objects of a cluster. What is pure stands apart from what Pulumi places."""
