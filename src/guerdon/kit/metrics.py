"""Figures for Prometheus. With several processes the library keeps them in files that any of them can add up."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

REQUESTS = Histogram(
    "guerdon_request_seconds",
    "Time to answer a request, by route and status.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
BATCH_SIZE = Histogram(
    "guerdon_batch_requests",
    "Requests answered by one batch.",
    ["lane"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
BATCH_SECONDS = Histogram(
    "guerdon_batch_seconds", "Time from a batch's first statement to its commit.", ["lane"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)  # fmt: skip
OUTCOMES = Counter("guerdon_redemptions_total", "Redemptions asked for, by outcome.", ["outcome"])
JOBS = Counter("guerdon_jobs_total", "Jobs run, by kind and outcome.", ["kind", "outcome"])

_children: dict[tuple[str, str, int], Histogram] = {}


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request. The labelled child is kept: finding it costs more than using it."""
    key = (method, route, status)
    child = _children.get(key)
    if child is None:
        if len(_children) > 5_000:
            return
        child = _children[key] = REQUESTS.labels(method, route, str(status))
    child.observe(seconds)


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry)
    return generate_latest()
