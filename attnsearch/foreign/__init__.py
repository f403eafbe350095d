"""Foreign runs: trained by a loop of one's own, in any framework, and recorded as any other run."""
