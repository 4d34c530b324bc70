"""Changes between two environments, and their consequences."""
