"""The promises of an environment, held against what runs: each kept, broken, or beyond telling, with the evidence."""
