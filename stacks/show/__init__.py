"""Output for people: descriptions, tables, stored traces."""
