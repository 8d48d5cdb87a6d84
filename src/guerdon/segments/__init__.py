"""Segments: groups of customers, listed or found by a filter over what is known of them."""
