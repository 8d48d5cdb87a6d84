"""Customers: who they are, and what they have redeemed and ordered so far."""
