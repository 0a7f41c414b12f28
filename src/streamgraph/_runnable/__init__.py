"""A compiled graph as a LangChain Runnable: its calls, options, inputs, schemas and the opening of a run."""
