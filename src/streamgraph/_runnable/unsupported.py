"""Features of LangGraph that this package does not have yet."""

from __future__ import annotations

from streamgraph.errors import NotSupportedError


def refuse(**given: object) -> None:
    """Refuse arguments that would have no effect.

    Args:
        **given: The arguments; `None`, `False` and empty ones are accepted.

    Raises:
        NotSupportedError: An argument has a value.
    """
    for name, value in given.items():
        if value is not None and value is not False and value != () and value != []:
            raise NotSupportedError(
                f"{name}={value!r:.60} needs saved runs, which are not there yet",
                name=None,
                hint="Leave it out; a run that has to be saved or interrupted still needs LangGraph.",
            )
