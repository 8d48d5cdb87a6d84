"""The client of tests/api, for what needs no process of its own."""

from api.conftest import app, client, run_jobs

__all__ = ["app", "client", "run_jobs"]
