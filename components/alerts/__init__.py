"""Alerts: the rules that follow from a plan, as Prometheus evaluates them, each with a trial by promtool."""
