"""What may leave the process: the registry of attributes, and the redaction of everything else."""
