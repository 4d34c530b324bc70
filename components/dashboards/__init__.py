"""Dashboards of Grafana as code: what a backbone counts, in panels."""
