"""Exports: tables written as CSV by a job, and downloaded."""
