"""Orders: what customers buy, with totals reckoned by the engine."""
