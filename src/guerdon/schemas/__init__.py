"""Metadata schemas: what may stand in the metadata of which resource."""
