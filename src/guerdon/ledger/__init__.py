"""Stored value: the cards' accounts, their lots and entries, and what may be done with them by hand."""
