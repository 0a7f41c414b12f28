"""What this package uses of others although they do not promise it, with a module for each of them.

Each function says which private it uses, since which version that has been there, what for, and what happens without
it. `tests/unit/compat` has a test for each: look there first when one of the others comes in a new version.

What has to stay where it is, since it is part of a class there:

* `prebuilt/_injected.py`: `langchain_core.tools.base._DirectlyInjectedToolArg` (from langchain-core 1.0 on), by which a
  parameter annotated with `ToolRuntime` is hidden from models. Without it, the annotation is made an `Annotated` of
  `typing` that can be asked for instances; for that, the class of such annotations is subclassed.
* `_drivers/generator_api.py`: `__class__` says that a stream is a generator, since `inspect.isgenerator` asks for that.
* `_langchain/langgraph.py`: `__pregel_runtime`, the key under which LangGraph's own functions look for their runtime.
  Without it, LangGraph's `get_stream_writer` finds no writer in our nodes.
* `_langchain/traces.py`: `tap_output_iter`, by which handlers such as those of `astream_events` follow what a run
  streams. Without it, they are not shown the result of a graph as a chunk.
* `_messages/structured.py`: `ls_structured_output_format`, the option by which `with_structured_output` tells callbacks
  of its schema. Without it, a model is taken to answer in prose, and the mode `objects` has nothing to show.
* `_langchain/configs.py`: `set_config_context`, whose context is asked for the variables that it has set. They are
  those of tracers; without it, LangSmith does not know the current run inside a node.
"""
