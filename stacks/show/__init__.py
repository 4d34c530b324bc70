"""What people look at: descriptions, tables, stored traces."""
