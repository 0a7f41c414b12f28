"""Private features of other packages, with one module per package.

Each function documents the private feature it uses, since which version it exists, its purpose, and the behaviour
without it. `tests/unit/compat` has a test for each: check them first when a new version of one of the packages is
released.

The following private features are used elsewhere, because they are part of a class there:

* `prebuilt/_injected.py`: `langchain_core.tools.base._DirectlyInjectedToolArg` (from langchain-core 1.0 on) hides a
  parameter annotated with `ToolRuntime` from models. Without it, the annotation is made an `Annotated` of `typing` that
  supports `isinstance`, by subclassing the class of such annotations.
* `_drivers/generator_api.py`: `__class__` reports that a stream is a generator, since `inspect.isgenerator` checks it.
* `_langchain/peer_entries.py` and `_langchain/peer_tasks.py`: a graph of LangGraph finds the task around it by entries
  of `configurable`, and tells of its own tasks by `langgraph_*` metadata of callbacks; `langgraph.py` here has the
  keys. Without them, graphs of both libraries run in each other like plain functions.
* `_langchain/traces.py`: handlers such as those of `astream_events` follow what a run streams through
  `tap_output_iter`. Without it, they do not get the result of a graph as a chunk.
* `_messages/structured.py`: `with_structured_output` passes its schema to callbacks in the option
  `ls_structured_output_format`. Without it, a model is assumed to answer in prose, and the mode `objects` yields
  nothing.
* `_langchain/configs.py`: the context of `set_config_context` is searched for the variables that it has set. These
  belong to tracers; without it, LangSmith does not know the current run inside a node.
"""
