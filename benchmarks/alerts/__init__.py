"""Each alert fired once by the fault that it is for, on the real servers and a real Prometheus."""
