"""Guerdon: the open-source, self-hosted engine for promotions and loyalty."""

__version__ = "0.1.0"
