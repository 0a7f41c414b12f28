"""Served graphs within FastAPI, behind a login: each user has their own threads, in every protocol.

    pip install "streamgraph[openai,server]" fastapi
    python cookbook/11_behind_fastapi.py

The site and its users run in this process. Without a key a small server on this machine plays the model.
"""

import secrets
import socket
import threading
from typing import Any, Dict, Optional

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException, Response

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph_integrations.openai import chat_model
from streamgraph_server import serve

model = chat_model()


async def say(state: MessagesState) -> Any:
    return {"messages": [await model.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node(say).add_edge(START, "say").compile()
PASSWORDS = {"ada": "engine", "bob": "builder"}  # yours are hashed, in a database
sessions: Dict[str, str] = {}


async def user_of(request: Any) -> Optional[str]:
    """Return who asks; `None` is answered with 401, and what others have made with 404."""
    return sessions.get(request.cookies.get("session", ""))


graphs = serve({"agent": graph}, auth=user_of)
site = FastAPI(lifespan=graphs.router.lifespan_context)  # ends the runs when the site shuts down


@site.post("/login")
def login(given: Dict[str, str], response: Response) -> Dict[str, str]:
    name, password = given.get("name", ""), given.get("password", "")
    if not password or not secrets.compare_digest(PASSWORDS.get(name, "").encode(), password.encode()):
        raise HTTPException(401, "No such user, or another password.")
    session = secrets.token_urlsafe(32)
    sessions[session] = name
    # Give `secure=True` behind HTTPS. Pages of other sites send no such cookie, and `serve` refuses their requests.
    response.set_cookie("session", session, httponly=True, samesite="strict")
    return {"name": name}


site.mount("/graphs", graphs)  # a front end uses https://your.site/graphs as the URL of its server


def visit(url: str) -> None:
    with httpx.Client(base_url=url) as ada, httpx.Client(base_url=url) as bob:
        print("Without a login:", ada.post("/graphs/threads", json={}).status_code)
        for client, name in ((ada, "ada"), (bob, "bob")):
            client.post("/login", json={"name": name, "password": PASSWORDS[name]}).raise_for_status()
        thread = ada.post("/graphs/threads", json={}).json()["thread_id"]
        asked = {"messages": [{"role": "user", "content": "A joke about pelicans"}]}
        body = {"assistant_id": "agent", "input": asked, "stream_mode": "messages-tuple"}
        with ada.stream("POST", f"/graphs/threads/{thread}/runs/stream", json=body) as answer:
            print("Ada gets", sum(line.startswith("event: messages") for line in answer.iter_lines()), "tokens.")
        print("Her thread:", ada.get(f"/graphs/threads/{thread}/state").json()["values"]["messages"][-1]["content"])
        print("For Bob:", bob.get(f"/graphs/threads/{thread}/state").json()["detail"])


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(site, log_level="error"))
        thread = threading.Thread(target=server.run, args=[[listening]])
        thread.start()
        visit(f"http://127.0.0.1:{listening.getsockname()[1]}")
        server.should_exit = True
        thread.join()
