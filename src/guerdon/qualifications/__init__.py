"""Qualifications: everything that a customer can use for a cart, decided by the very function that validates it."""
