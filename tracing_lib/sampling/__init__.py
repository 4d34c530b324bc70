"""Which traces are recorded: the sampler, and the strategies that it follows."""
