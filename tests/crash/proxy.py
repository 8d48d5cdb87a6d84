"""A proxy between the application and PostgreSQL that can lose one COMMIT, in the three ways a network can."""

import asyncio
import contextlib
import tempfile
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

Loss = Literal["question", "answer", "late"]
"""``question``: the COMMIT never arrives. ``answer``: it is done, and nobody hears of it. ``late``: the application
sees the connection die before PostgreSQL sees the COMMIT."""

SOCKET = ".s.PGSQL.5432"
COMMIT = b"COMMIT;\x00"
LATE_SECONDS = 0.4


class Proxy:
    """Use it as a context: `dsn` leads through it. `lose` is what happens to the next COMMIT."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self._behind = parse_qs(parts.query)["host"][0] + "/" + SOCKET
        self._folder = tempfile.TemporaryDirectory(prefix="guerdon-proxy-")
        self.dsn = (
            f"postgresql://{parts.netloc}{parts.path}?host={quote(self._folder.name, safe='/')}&port=5432"
        )
        self.lose: Loss | None = None
        self.lost = 0
        self.refusing = False
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_unix_server(self._met, f"{self._folder.name}/{SOCKET}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        self._folder.cleanup()

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        if self.refusing:
            writer.close()
            return
        behind, ahead = await asyncio.open_unix_connection(self._behind)
        back = asyncio.create_task(_pump(behind, writer))
        try:
            with contextlib.suppress(ConnectionError):
                await self._forth(reader, writer, behind, ahead, back)
        finally:
            back.cancel()
            writer.close()
            ahead.close()

    async def _forth(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind: asyncio.StreamReader,
        ahead: asyncio.StreamWriter,
        back: asyncio.Task[None],
    ) -> None:
        while data := await reader.read(65536):
            loss = self.lose if COMMIT in data else None
            if loss is None:
                ahead.write(data)
                await ahead.drain()
                continue
            self.lose, self.lost = None, self.lost + 1
            back.cancel()
            if loss == "question":
                return
            if loss == "late":
                writer.close()
                await asyncio.sleep(LATE_SECONDS)
            ahead.write(data)
            await ahead.drain()
            await asyncio.gather(back, return_exceptions=True)
            await behind.read(65536)  # the answer that nobody gets
            return


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
