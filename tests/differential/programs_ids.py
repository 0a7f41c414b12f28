"""Programs about the ids of messages: who gets one, when, on which object, and who else sees it."""

import dataclasses
import operator
from typing import Annotated, Any, Callable, Optional

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, SystemMessage
from pydantic import BaseModel
from typing_extensions import TypedDict

from differential.harness import TOGETHER, Case, Lib, program
from differential.programs_nested import BOTH, line

EVERY = ("values", "updates", "messages", ("values", "messages"), TOGETHER)


def chat_with_facts(lib: Lib) -> Any:
    """A state with a conversation and a list of what nodes have found out."""

    class Chat(lib.MessagesState):  # type: ignore[misc, name-defined]
        facts: Annotated[list, operator.add]

    return Chat


def facts(made: "list[BaseMessage]") -> Callable[[Any], dict]:
    """A node that tells whether these messages have ids, are in the state, and have the ids that are there."""

    def tell(state: Any) -> dict:
        ids = [message.id for message in state["messages"]]
        return {"facts": [(m.id is not None, any(m is n for n in state["messages"]), m.id in ids) for m in made]}

    return tell


def returning(lib: Lib, give: "Callable[[Callable[[str], BaseMessage]], Any]", schema: Any = None) -> Case:
    """A node that returns messages without ids, and one that looks at them."""
    made: list[BaseMessage] = []

    def new(text: str) -> BaseMessage:
        made.append(AIMessage(text))
        return made[-1]

    graph = line(lib, ("a", lambda state: give(new)), ("tell", facts(made)), schema=schema or chat_with_facts(lib))
    return Case(graph, {"messages": [HumanMessage("hi", id="h1")], "facts": []})


@program(modes=EVERY)
def ids_of_the_input(lib: Lib) -> Case:
    given = HumanMessage("q")
    return Case(line(lib, ("tell", facts([given])), schema=chat_with_facts(lib)), {"messages": [given], "facts": []})


@program(modes=EVERY)
def ids_of_one_message(lib: Lib) -> Case:
    return returning(lib, lambda new: {"messages": new("one")})


@program(modes=EVERY)
def ids_of_a_list(lib: Lib) -> Case:
    return returning(lib, lambda new: {"messages": [new("one"), new("two")]})


@program(modes=EVERY)
def ids_of_commands(lib: Lib) -> Case:
    def give(new: Any) -> Any:
        return [lib.Command(update={"messages": [new("one")]}), lib.Command(update={"messages": new("two")})]

    return returning(lib, give)


@program(modes=("values", "updates"))
def ids_beside_other_forms(lib: Lib) -> Case:
    return returning(lib, lambda new: {"messages": [("ai", "pair"), {"role": "user", "content": "dict"}, new("one")]})


@program(modes=EVERY)
def ids_of_a_message_given_twice(lib: Lib) -> Case:
    def give(new: Any) -> Any:
        once = new("one")
        return {"messages": [once, once]}

    return returning(lib, give)


@program(modes=EVERY)
def ids_of_one_message_in_every_round(lib: Lib) -> Case:
    again = AIMessage("again")
    nodes = [(name, lambda state: {"messages": [again]}) for name in "abc"]
    graph = line(lib, *nodes, ("tell", facts([again])), schema=chat_with_facts(lib))
    return Case(graph, {"messages": [], "facts": []})


@program(modes=EVERY)
def ids_by_a_reducer_of_ones_own(lib: Lib) -> Case:
    def mine(left: Any, right: Any) -> Any:
        return lib.add_messages(left or [], right)

    class State(TypedDict):
        messages: Annotated[list, mine]
        facts: Annotated[list, operator.add]

    return returning(lib, lambda new: {"messages": [new("one"), new("two")]}, State)


@program(modes=EVERY)
def ids_that_a_branch_sees(lib: Lib) -> Case:
    def mine(left: Any, right: Any) -> Any:
        return lib.add_messages(left or [], right)

    class State(TypedDict):
        messages: Annotated[list, mine]
        facts: Annotated[list, operator.add]

    seen: list[Any] = []

    def route(state: Any) -> str:
        seen.append(state["messages"][-1].id)
        return "tell"

    builder = lib.StateGraph(State)
    builder.add_node("a", lambda state: {"messages": [AIMessage("one")]})
    builder.add_node("tell", lambda state: {"facts": [state["messages"][-1].id == seen[-1]]})
    builder.add_edge(lib.START, "a")
    builder.add_conditional_edges("a", route, ["tell"])
    return Case(builder.compile(), {"messages": [], "facts": []})


@program(modes=EVERY)
def ids_in_the_format_of_openai(lib: Lib) -> Case:
    class State(TypedDict):
        messages: Annotated[list, lib.add_messages(format="langchain-openai")]
        facts: Annotated[list, operator.add]

    return returning(lib, lambda new: {"messages": new("one")}, State)


@program(modes=("values", "updates"))
def ids_by_hand(lib: Lib) -> Case:
    left, right = HumanMessage("left"), AIMessage("right")

    def merge(state: Any) -> dict:
        merged = lib.add_messages([left], [right])
        return {"x": [merged[0] is left, merged[1] is right, left.id is not None, right.id is not None]}

    return Case(line(lib, merge), {"x": []})


@program(modes=EVERY)
def ids_in_a_pydantic_state(lib: Lib) -> Case:
    class State(BaseModel):
        messages: Annotated[list, lib.add_messages] = []
        facts: Annotated[list, operator.add] = []

    given, made = HumanMessage("q"), AIMessage("a")

    def a(state: Any) -> dict:
        return {"messages": [made], "facts": [state.messages[0] is given, state.messages[0].id == given.id]}

    def b(state: Any) -> dict:
        return {"facts": [state.messages[1] is made, made.id is not None]}

    return Case(line(lib, a, b, schema=State), {"messages": [given]})


@program(modes=EVERY)
def ids_in_a_dataclass(lib: Lib) -> Case:
    @dataclasses.dataclass
    class State:
        messages: Annotated[list, lib.add_messages]
        facts: Annotated[list, operator.add]

    given, made = HumanMessage("q"), AIMessage("a")

    def a(state: Any) -> Any:
        return State([made], [state.messages[0] is given])

    def b(state: Any) -> dict:
        return {"facts": [state.messages[1] is made, made.id is not None]}

    return Case(line(lib, a, b, schema=State), State([given], []))


@program(modes=EVERY)
def no_ids_in_what_is_sent(lib: Lib) -> Case:
    sent = HumanMessage("q")
    builder = lib.StateGraph(chat_with_facts(lib))
    builder.add_node("w", lambda state: {"facts": [state["messages"][0] is sent, sent.id is None]})
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("w", {"messages": [sent]})], ["w"])
    return Case(builder.compile(), {"messages": [], "facts": []})


@program(modes=("values", "updates"))
def ids_of_what_was_sent_and_returned(lib: Lib) -> Case:
    sent = HumanMessage("q")
    builder = lib.StateGraph(chat_with_facts(lib))
    builder.add_node("w", lambda state: {"messages": state["messages"]})
    builder.add_node("tell", facts([sent]))
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("w", {"messages": [sent]})], ["w"])
    builder.add_edge("w", "tell")
    return Case(builder.compile(), {"messages": [], "facts": []})


@program(modes=("values", "messages"), subgraphs=BOTH)
def ids_of_a_nested_graph(lib: Lib) -> Case:
    made = AIMessage("inner")
    inner = line(lib, ("i", lambda state: {"messages": [made]}), schema=lib.MessagesState)
    graph = line(lib, ("sub", inner), ("tell", facts([made])), schema=chat_with_facts(lib))
    return Case(graph, {"messages": [HumanMessage("hi")], "facts": []})


@program(modes=EVERY)
def ids_of_the_input_of_a_graph_in_a_node(lib: Lib) -> Case:
    inner = line(lib, ("i", lambda state: {"messages": [AIMessage("inner")]}), schema=lib.MessagesState)
    given = HumanMessage("for the inner graph")

    def call(state: Any) -> dict:
        out = inner.invoke({"messages": [given]})
        return {"facts": [given.id is not None, out["messages"][0] is given]}

    return Case(line(lib, call, schema=chat_with_facts(lib)), {"messages": [], "facts": []})


@program(modes=("values",))
def ids_changed_on_the_messages_of_the_state(lib: Lib) -> Case:
    def renamed(state: Any) -> dict:
        state["messages"][0].id = "new"
        return {"messages": [state["messages"][0]]}

    def removed(state: Any) -> dict:
        state["messages"][1].id = "newer"
        return {"messages": [RemoveMessage("newer")]}

    first = ("first", lambda state: {"messages": AIMessage("answer", id="a1")})
    return Case(
        line(lib, first, renamed, removed, schema=lib.MessagesState), {"messages": [HumanMessage("hi", id="h1")]}
    )


# What we promise and LangGraph does not do.


@program(modes=("values", "messages"), differs=("ids-whenever-a-message-enters",))
def ids_of_messages_that_replace_the_list(lib: Lib) -> Case:
    return returning(lib, lambda new: {"messages": lib.Overwrite([new("one")])})


@program(modes=("values",), differs=("ids-whenever-a-message-enters",))
def ids_of_the_first_messages_of_a_key_without_default(lib: Lib) -> Case:
    class State(TypedDict):
        messages: Annotated[Optional[list], lib.add_messages]

    return Case(line(lib, ("a", lambda state: None), schema=State), {"messages": HumanMessage("hi")})


@program(modes=(("values", "messages"),), differs=("ids-do-not-depend-on-modes",))
def messages_of_a_reducer_that_gives_no_ids(lib: Lib) -> Case:
    class State(TypedDict):
        messages: Annotated[list, operator.add]

    return Case(line(lib, ("a", lambda state: {"messages": [AIMessage("one")]}), schema=State), {"messages": []})


@program(modes=("messages", "values", "updates"), differs=("input-is-never-emitted",))
def messages_without_ids_sent_to_a_graph(lib: Lib) -> Case:
    inner = line(lib, ("i", lambda state: {"messages": [AIMessage("answer")]}), schema=lib.MessagesState)
    given = {"messages": [SystemMessage("system"), HumanMessage("question")]}
    builder = lib.StateGraph(lib.MessagesState)
    builder.add_node("sub", inner)
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("sub", given)], ["sub"])
    return Case(builder.compile(), {"messages": [HumanMessage("hi")]})


@program(modes=("messages", "values"), differs=("input-is-never-emitted",))
def message_without_id_sent_to_a_node_that_returns_it(lib: Lib) -> Case:
    builder = lib.StateGraph(lib.MessagesState)
    builder.add_node("w", lambda state: {"messages": state["messages"]})
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("w", {"messages": [HumanMessage("q")]})], ["w"])
    return Case(builder.compile(), {"messages": []})


@program(modes=("messages", "values", "updates"), differs=("input-is-never-emitted",))
def messages_without_ids_in_a_plain_key_of_the_outer_state(lib: Lib) -> Case:
    class Outer(TypedDict):
        messages: list

    inner = line(lib, ("i", lambda state: {"messages": [AIMessage("answer")]}), schema=lib.MessagesState)
    return Case(line(lib, ("sub", inner), schema=Outer), {"messages": [HumanMessage("question")]})


@program(modes=("messages",), subgraphs=(True,), differs=("entered-through-a-node",))
def messages_made_for_a_graph_and_returned(lib: Lib) -> Case:
    inner = line(lib, ("i", lambda state: {"messages": [AIMessage("answer")]}), schema=lib.MessagesState)

    def call(state: Any) -> dict:
        return {"messages": inner.invoke({"messages": [HumanMessage("question")]})["messages"]}

    return Case(line(lib, call, schema=lib.MessagesState), {"messages": [HumanMessage("hi")]})


@program(modes=("messages",), differs=("messages-of-commands-for-the-parent",))
def messages_in_a_command_for_the_parent(lib: Lib) -> Case:
    def leave(state: Any) -> Any:
        update = {"messages": [AIMessage("by command", id="c1")]}
        return lib.Command(graph=lib.Command.PARENT, update=update, goto="next")

    builder = lib.StateGraph(lib.MessagesState)
    builder.add_node("sub", line(lib, ("i", leave), schema=lib.MessagesState))
    builder.add_node("next", lambda state: None)
    builder.add_edge(lib.START, "sub")
    return Case(builder.compile(), {"messages": [HumanMessage("hi", id="h1")]})


@program(modes=("values",), differs=("a-marker-drops-only-what-is-before-it",))
def messages_after_the_marker_that_removes_all(lib: Lib) -> Case:
    def a(state: Any) -> dict:
        fresh = [AIMessage("gone", id="g"), AIMessage("first", id="f"), AIMessage("second", id="f"), RemoveMessage("g")]
        return {"messages": [RemoveMessage(lib.REMOVE_ALL_MESSAGES), *fresh]}

    return Case(line(lib, a, schema=lib.MessagesState), {"messages": [HumanMessage("hi", id="h1")]})


@program(modes=("values",), differs=("reducers-run-once",))
def runs_of_a_reducer_with_branches(lib: Lib) -> Case:
    runs: list[Any] = []

    def add(left: list, right: list) -> list:
        runs.extend(right)
        return left + right

    class State(TypedDict):
        left: Annotated[list, add]
        right: Annotated[list, add]
        runs: list

    builder = lib.StateGraph(State)
    for key in ("left", "right"):
        builder.add_node(f"to_{key}", lambda state, key=key: {key: [key]})
        builder.add_edge(lib.START, f"to_{key}")
        builder.add_conditional_edges(f"to_{key}", lambda state: "tell", ["tell"])
    builder.add_node("tell", lambda state: {"runs": sorted(runs)})
    return Case(builder.compile(), {"left": [], "right": []})
