"""A graph behind Starlette or FastAPI: tokens as they are made, and an end of the work when the client leaves.

    pip install starlette uvicorn
    python cookbook/07_behind_starlette.py

The server and its clients run in this process. Without a key a small server on this machine plays the model; set
`OPENAI_API_KEY` (or `OPENAI_BASE_URL`) and the real one answers.
"""

import socket
import threading
from typing import TypedDict
from urllib.request import urlopen

import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from streamgraph.graph import START, StateGraph
from streamgraph_integrations.openai import chat_model


class State(TypedDict, total=False):
    topic: str
    joke: str


model = chat_model("gpt-4o-mini", tags=["joke"])
left = threading.Event()


def tell(state: State):
    try:
        return {"joke": model.invoke(f"A joke about {state['topic']}").content}
    except BaseException:
        left.set()
        raise


graph = StateGraph(State).add_node(tell).add_edge(START, "tell").compile()


async def joke(request):
    async def words():
        # Starlette closes an async generator when the client leaves, and `async with` closes the stream then: the model
        # ends at its next token, sync node or not. A *sync* generator around `graph.stream` it only forgets. That run
        # goes on until the garbage collector comes by, so use the async stream, or if it has to be the sync one:
        #
        #     stream = graph.stream(given, stream_mode="messages")
        #     try:
        #         async for message, _ in iterate_in_threadpool(stream):
        #             yield message.content
        #     finally:
        #         await run_in_threadpool(stream.close)
        given = {"topic": request.path_params["topic"]}
        async with graph.astream(given, stream_mode="messages", max_buffer=1) as stream:
            async for message, _ in stream:
                yield message.content

    return StreamingResponse(words(), media_type="text/plain")


with socket.socket() as listening:
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    app = Starlette(routes=[Route("/{topic}", joke)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with urlopen(f"{url}/pelicans") as response:
        print(response.read().decode())
    with urlopen(f"{url}/penguins") as response:
        response.read(1)
    print("A client that leaves at once ends the model:", left.wait(10))
    server.should_exit = True
    thread.join()
