"""The test kit for services."""
