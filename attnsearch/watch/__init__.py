"""A sweep while it trains, as a local page: made of what is stored and checkpointed, so that it needs nothing
of the process that trains."""
