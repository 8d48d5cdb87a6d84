"""Loyalty programs and the parts they are made of: card definitions, earning rules, rewards, benefits, tiers."""
