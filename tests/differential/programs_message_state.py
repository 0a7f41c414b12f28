"""Programs about messages that nodes return: made by hand, edited, removed, coerced."""

import operator
from typing import Annotated, Any

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from typing_extensions import TypedDict

from differential.harness import Case, Lib, program
from differential.programs_flow import graph
from differential.programs_messages import TOLD, chat, hello
from differential.programs_nested import line


@program(modes=TOLD)
def messages_made_by_hand(lib: Lib) -> Case:
    def make(state: Any) -> dict:
        made = [AIMessage("p1", id="p1"), HumanMessage("p2", id="p2"), SystemMessage("p4", id="p4")]
        return {"messages": [*made, ToolMessage("p3", tool_call_id="c", id="p3")]}

    return Case(chat(lib, make, ("more", lambda state: {"messages": AIMessage("single", id="s1")})), hello(lib))


@program(modes=("messages", "values"))
def message_returned_as_command(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(update={"messages": [AIMessage("by command", id="a1")]}, goto="b")

    def b(state: Any) -> Any:
        return [
            lib.Command(update={"messages": [AIMessage("in a list", id="b1")]}),
            {"messages": AIMessage("c", id="c")},
        ]

    return Case(graph(lib, [a, b], [(lib.START, "a")], lib.MessagesState).compile(), hello(lib))


@program(modes=("messages", "values"))
def message_returned_as_root_state(lib: Lib) -> Case:
    schema = Annotated[list, lib.add_messages]
    builder = lib.StateGraph(schema)
    builder.add_node("a", lambda state: AIMessage("one", id="a1"))
    builder.add_node("b", lambda state: [AIMessage("two", id="b1"), HumanMessage("three", id="b2")])
    builder.add_edge(lib.START, "a")
    builder.add_edge("a", "b")
    return Case(builder.compile(), [HumanMessage("hi", id="h1")])


@program(modes=("messages", "values"))
def message_in_a_plain_key(lib: Lib) -> Case:
    return Case(line(lib, ("a", lambda state: {"y": AIMessage("plain", id="p1")})), {"x": []})


@program(modes=("messages", "values"))
def history_is_not_emitted_again(lib: Lib) -> Case:
    def again(state: Any) -> dict:
        return {"messages": [*state["messages"], AIMessage("new", id="n1")]}

    return Case(chat(lib, ("a", again), ("b", lambda state: {"messages": state["messages"]})), hello(lib))


@program(modes=("messages", "values", "updates"))
def messages_removed(lib: Lib) -> Case:
    def a(state: Any) -> dict:
        return {"messages": [AIMessage("keep", id="k1"), RemoveMessage(id="h1")]}

    return Case(chat(lib, a), hello(lib))


@program(modes=("messages", "values", "updates"))
def all_messages_removed(lib: Lib) -> Case:
    def a(state: Any) -> dict:
        return {"messages": [RemoveMessage(id=lib.REMOVE_ALL_MESSAGES), AIMessage("fresh", id="f1")]}

    return Case(chat(lib, a), hello(lib))


@program(modes=("values", ("updates", "values")), differs=("nothing-is-lost-on-errors",))
def removing_an_unknown_message(lib: Lib) -> Case:
    nodes = [("a", lambda state: {"messages": [RemoveMessage(id="nobody")]}), ("b", lambda state: None)]
    return Case(chat(lib, *nodes), hello(lib))


@program(modes=("values",))
def messages_of_many_forms_are_coerced(lib: Lib) -> Case:
    def a(state: Any) -> dict:
        return {"messages": [("ai", "pair"), {"role": "user", "content": "dict", "id": "d1"}, "text"]}

    return Case(chat(lib, a, ("b", lambda state: {"messages": "just text"})), {"messages": "hi"})


@program(modes=("values", "updates"))
def message_replaced_by_its_id(lib: Lib) -> Case:
    def a(state: Any) -> dict:
        return {"messages": [HumanMessage("edited", id="h1"), AIMessage("new", id="a1"), AIMessage("newer", id="a1")]}

    return Case(chat(lib, a), hello(lib))


@program(modes=("messages", "values"))
def own_state_with_two_message_lists(lib: Lib) -> Case:
    add = lib.add_messages

    class Lists(TypedDict, total=False):
        left: Annotated[list, add]
        right: Annotated[list, operator.add]

    def a(state: Any) -> dict:
        same = AIMessage("both", id="same")
        return {"left": [same], "right": [same, AIMessage("only right", id="r1")]}

    return Case(line(lib, a, schema=Lists), {"left": []})
