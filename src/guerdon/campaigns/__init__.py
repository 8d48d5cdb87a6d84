"""Campaigns: many codes under one set of terms, and the jobs that make, import and delete them."""
