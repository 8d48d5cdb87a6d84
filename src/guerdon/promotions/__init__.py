"""Promotions of the cart: tiers that apply by themselves when their rules hold, and stacks of tiers."""
