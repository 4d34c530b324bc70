"""The surfaces that make spans: functions, keepers, jobs, and the protocols in rooms of their own."""
