"""The chain: three modules with their keepers, a mempool, a block every second, and events of what the blocks did."""
