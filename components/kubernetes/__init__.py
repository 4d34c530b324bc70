"""The Kubernetes placement: a plan as objects of a cluster. Pure functions make the objects, components place them."""
