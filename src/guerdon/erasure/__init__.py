"""Forgetting a person for good: whatever callers told of them goes, amounts and opaque ids stay for the books."""
