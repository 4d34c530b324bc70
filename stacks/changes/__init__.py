"""What changes between two environments, and what that does."""
