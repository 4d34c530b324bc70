"""A whole Kubernetes node on one machine, from programs on PATH: control plane, container runtime, kubelet, service proxy, names.

``python -m tests.cluster.node --folder DIR`` starts it as root and stops it, with all that it made, on SIGTERM. See README.md.
"""
