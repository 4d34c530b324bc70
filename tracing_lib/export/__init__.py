"""From an ended span to the collector: queue, encoder, transport, accounts."""
