"""What every room stands on: errors, names of the conventions, hosts, the background threads."""
