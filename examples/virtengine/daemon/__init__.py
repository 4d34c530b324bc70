"""The provider daemon: bids for orders of the chain, and provisions what it won."""
