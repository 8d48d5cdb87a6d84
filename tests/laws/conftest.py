"""The application of tests/api, for laws that hold over all of it."""

from api.conftest import app

__all__ = ["app"]
