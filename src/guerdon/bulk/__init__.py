"""Async actions: what callers see of the jobs that their bulk requests became."""
