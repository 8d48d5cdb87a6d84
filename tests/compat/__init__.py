"""The official Python SDK against a running server."""
