"""A stand-in for the application, for tests of serving.py; run as a script it serves itself."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from guerdon import serving
from guerdon.kit import log
from guerdon.settings import Settings, load_settings


def create_app(settings: Settings) -> Any:
    """Answers with its process id; /slow takes 0.7 s."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] == "/slow":
            await asyncio.sleep(0.7)
        body = str(os.getpid()).encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        )
        await send({"type": "http.response.body", "body": body})

    return answer


def create_broken_app(settings: Settings) -> Any:
    raise ValueError("this application does not start")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """A worker that writes its process id and, when told to stop, that it did."""
    folder = Path(os.environ["GUERDON_TEST_FOLDER"])
    (folder / f"worker-{os.getpid()}").write_text("running")
    await stop.wait()
    (folder / f"worker-{os.getpid()}").write_text("stopped")


if __name__ == "__main__":
    log.configure()
    serving.run(load_settings(), app=f"tiny_app:{sys.argv[1]}", worker="tiny_app:run")
