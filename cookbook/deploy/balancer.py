"""Gives connections to server processes by turns. It stands for nginx, HAProxy, or what the cloud has."""

import asyncio
from contextlib import suppress
from typing import List, Tuple


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes, as it comes: a balancer that collects answers delays every token."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def balance(port: int, servers: List[Tuple[str, int]]) -> asyncio.Server:
    """Listen at a port, and give each connection to the next server; one that does not answer is left out."""
    turn = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        for _ in servers:
            host, server_port = servers[turn % len(servers)]
            turn += 1
            try:
                from_server, to_server = await asyncio.open_connection(host, server_port)
            except OSError:
                continue
            asked = asyncio.ensure_future(copy(reader, to_server))
            await copy(from_server, writer)  # the server ends an answer; what the client still says is of no use then
            asked.cancel()
            to_server.close()
            break
        writer.close()

    return await asyncio.start_server(accept, "127.0.0.1", port)
