"""Referrals: codes that customers pass on, and what both sides get for it once it holds."""
