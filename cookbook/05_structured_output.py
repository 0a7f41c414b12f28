"""A form that fills itself in: structured output, shown field by field while the model writes it.

    python cookbook/05_structured_output.py [topic]

Without a key a small server on this machine answers; set `OPENAI_API_KEY` (or `OPENAI_BASE_URL`) and the real model
does.
"""

import sys
from typing import List, Literal, TypedDict

from pydantic import BaseModel, Field

from streamgraph.graph import START, StateGraph
from streamgraph_integrations.openai import chat_model


class Recipe(BaseModel):
    """A recipe."""

    title: str
    difficulty: Literal["easy", "medium", "hard"]
    minutes: int = Field(description="How long it takes")
    steps: List[str]


class State(TypedDict, total=False):
    topic: str
    recipe: Recipe
    praise: str


model = chat_model("gpt-4o-mini")
chef = model.with_structured_output(Recipe, method="function_calling")


def cook(state: State):
    return {"recipe": chef.invoke(f"A recipe about {state['topic']}")}


def praise(state: State):
    return {"praise": model.invoke(f"A poem about {state['recipe'].title}").content}


graph = StateGraph(State).add_sequence([cook, praise]).add_edge(START, "cook").compile()


def show(form):
    fields = {name: form.get(name, "…") for name in Recipe.model_fields}
    print("  ".join(f"{name}: {str(value)[:24]!r}" for name, value in fields.items()))


def main(topic: str = "pancakes"):
    # The raw JSON of the recipe stays out of `messages`; the tokens of the poem are there.
    stream = graph.stream({"topic": topic}, stream_mode=["objects", "messages"], include_raw=False)
    for mode, (data, metadata) in stream:
        if mode == "messages":
            print(data.content, end="", flush=True)
        elif metadata["complete"]:
            print(f"\nThe recipe, checked: {data!r}\n")
        else:
            show(data)
    print(f"\n\nIn the state: {stream.output['recipe'].title!r}, {stream.output['recipe'].minutes} minutes")


if __name__ == "__main__":
    main(*sys.argv[1:])
