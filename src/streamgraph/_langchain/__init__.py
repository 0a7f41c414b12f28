"""Where streamgraph meets langchain-core: configs, callbacks, Runnables and messages."""
