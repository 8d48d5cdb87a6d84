"""Validation rules: who may use what on which orders, and the things that rules are assigned to."""
