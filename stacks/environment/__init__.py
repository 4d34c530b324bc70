"""An environment file: its settings, their units and rules, and the value that they make."""
