"""One pure builder for each server's document: addresses and numbers in, canonical text out."""
