"""The local placement: any plan's workloads as child processes of one supervisor, on loopback, without a container engine."""
