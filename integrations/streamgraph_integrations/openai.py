"""ChatOpenAI for a real service if the environment configures one, else for a server on loopback."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any, Dict, Mapping, Optional
from urllib.request import getproxies

from streamgraph_integrations.local import is_local, local_model
from streamgraph_integrations.openai_server import OpenAIServer, ReplySource

try:
    import openai
    from langchain_openai import ChatOpenAI
except ImportError as error:
    raise ImportError(
        'streamgraph_integrations.openai needs langchain-openai: pip install "streamgraph[openai]"'
    ) from error

__all__ = ["chat_model", "is_live", "loopback_model"]

_BASE_URLS = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_DELAY = 0.02

# OpenAI's client requires a key even if the server does not.
_NO_KEY = "not-needed"

_lock = threading.Lock()
_shared: Dict[float, OpenAIServer] = {}


def is_live() -> bool:
    """Return whether `chat_model` uses a real service.

    Returns:
        True if `OPENAI_API_KEY`, `OPENAI_BASE_URL` or `OPENAI_API_BASE` is set in the environment, False if the answers
        come from the server on loopback.
    """
    return any(os.environ.get(name) for name in ("OPENAI_API_KEY", *_BASE_URLS))


def chat_model(
    model: str = "gpt-4o-mini",
    *,
    reply: Optional[ReplySource] = None,
    delay: float = _DELAY,
    **kwargs: Any,
) -> ChatOpenAI:
    """Make a ChatOpenAI that works with and without a key.

    With a key or a base URL, in the environment or in `kwargs`, this is `ChatOpenAI(model=model, **kwargs)`. Without
    one, the model uses an `OpenAIServer` in this process, which is started by the first call and closed when the
    interpreter exits. The name `"local"` means a small real model on this machine (the extra `local`) whatever the
    environment says, and `"local:PATH"` one in a GGUF file.

    Args:
        model: The name of the model.
        reply: The reply of the loopback server, as in `OpenAIServer`. Each call with a reply starts its own server;
            calls without one share a server. Not used with a real service.
        delay: Seconds between the chunks that the loopback server streams. Not used with a real service.
        **kwargs: Further arguments of ChatOpenAI.

    Returns:
        The model.

    Raises:
        TypeError: `reply` has a type that `OpenAIServer` does not accept.
        ValueError: `reply` is an empty list or `delay` is negative.
        MissingPackageError: A local model is not installed.
    """
    has_key = bool(kwargs.get("api_key") or kwargs.get("openai_api_key"))
    has_url = bool(kwargs.get("base_url") or kwargs.get("openai_api_base"))
    if is_local(model) and not has_key and not has_url:
        local = local_model(model)
        if local.stop:
            kwargs.setdefault("stop", local.stop)
        return _on_this_machine(local.base_url, model, kwargs)
    if is_live() or has_key or has_url:
        if not has_key and not os.environ.get("OPENAI_API_KEY"):
            kwargs["api_key"] = _NO_KEY
        return ChatOpenAI(model=model, **kwargs)
    return loopback_model(model, reply=reply, delay=delay, **kwargs)


def loopback_model(
    model: str = "gpt-4o-mini",
    *,
    reply: Optional[ReplySource] = None,
    delay: float = _DELAY,
    **kwargs: Any,
) -> ChatOpenAI:
    """Make a ChatOpenAI that uses a server in this process, whatever keys and URLs the environment has.

    Args:
        model: The name of the model.
        reply: The reply of the server; see `chat_model`.
        delay: Seconds between the chunks of a stream.
        **kwargs: Further arguments of ChatOpenAI.

    Returns:
        The model.

    Raises:
        TypeError: `reply` has a type that `OpenAIServer` does not accept.
        ValueError: `reply` is an empty list or `delay` is negative.
    """
    return _on_this_machine(_server(reply, delay).base_url, model, kwargs)


def _on_this_machine(base_url: str, model: str, kwargs: Dict[str, Any]) -> ChatOpenAI:
    kwargs["base_url"] = base_url
    kwargs["api_key"] = _NO_KEY
    # ChatOpenAI disables the usage of streams if a base URL is set; with a key alone it is enabled.
    kwargs.setdefault("stream_usage", True)
    kwargs.update(_past_proxies(kwargs))
    return ChatOpenAI(model=model, **kwargs)


def _server(reply: Optional[ReplySource], delay: float) -> OpenAIServer:
    with _lock:
        server = _shared.get(delay) if reply is None else None
        if server is None:
            server = OpenAIServer(reply, delay).start()
            atexit.register(server.close)
            if reply is None:
                _shared[delay] = server
        return server


def _past_proxies(kwargs: Mapping[str, object]) -> Dict[str, object]:
    """Return arguments that bypass proxies of the environment or the system, which cannot reach this process."""
    past: Dict[str, object] = {"openai_proxy": None}  # else taken from OPENAI_PROXY
    if any(getproxies().get(scheme) for scheme in ("http", "https", "all")):
        # openai's own classes, because the HTTP library of its client depends on its version.
        if "http_client" not in kwargs:
            past["http_client"] = openai.DefaultHttpxClient(trust_env=False)
        if "http_async_client" not in kwargs:
            past["http_async_client"] = openai.DefaultAsyncHttpxClient(trust_env=False)
    return past
