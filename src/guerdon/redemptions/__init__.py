"""Codes are validated, redeemed and taken back: gathered, decided and recorded in batches."""
