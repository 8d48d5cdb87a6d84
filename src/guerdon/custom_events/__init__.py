"""Custom events: what callers tell us that their customers did, and the schemas of what they may tell."""
