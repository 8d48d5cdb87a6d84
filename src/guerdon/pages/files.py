"""Scripts, styles and fonts: our own in static/, those of others in assets/ (see build.py)."""

from pathlib import Path

from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import not_found

STATIC = Path(__file__).parent / "static"
ASSETS = Path(__file__).parent / "assets"

MEDIA_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
CACHE = {"Cache-Control": "public, max-age=300"}  # and an ETag, by which a browser asks again cheaply


def built(name: str) -> bool:
    """Whether one of the files of others is there."""
    return (ASSETS / name).is_file()


def read(name: str, kind: str) -> bytes | None:
    """A file's content, by its bare name; None when there is none of that kind."""
    for folder in (STATIC, ASSETS):
        if name in {file.name for file in folder.glob(f"*.{kind}")}:
            return (folder / name).read_bytes()
    return None


async def css(call: Call, name: str) -> Reply:
    """A style sheet."""
    return _reply(name, "css")


async def js(call: Call, name: str) -> Reply:
    """A script."""
    return _reply(name, "js")


async def svg(call: Call, name: str) -> Reply:
    """A drawing."""
    return _reply(name, "svg")


async def woff2(call: Call, name: str) -> Reply:
    """A font."""
    return _reply(name, "woff2")


def _reply(name: str, kind: str) -> Reply:
    content = read(name, kind)
    if content is None:
        raise not_found("file", name)
    return Reply(content, 200, CACHE)


ROUTES = [
    Route(
        method="GET", path=f"/assets/{kind}/{{name}}", handler=handler, tag="Pages", access="public",
        media_type=MEDIA_TYPES[kind],
    )
    for kind, handler in (("css", css), ("js", js), ("svg", svg), ("woff2", woff2))
]  # fmt: skip
