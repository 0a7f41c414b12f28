"""Nodes on Ray: the stream is what it is with the node here, and nothing is lost or mixed when actors are."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from streamgraph.errors import MissingPackageError, UnknownOptionError, WorkerLostError, location_of
from streamgraph.types import Command, RetryPolicy
from support import remote_targets as targets

ray = pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402

from streamgraph_integrations.ray_nodes import RayPool, remote  # noqa: E402

# One Ray for all of these tests: it takes seconds to start.
pytestmark = pytest.mark.xdist_group("ray")

TESTS = str(Path(__file__).parents[2])
CONFIG = {"configurable": {"thread_id": "t"}, "tags": ["run"], "metadata": {"mine": 1}}
MEMORY = 100 * 2**20
MODES = ["values", "updates", "messages", "custom", "tasks", "debug"]
RETRY = RetryPolicy(initial_interval=0.01, jitter=False)

# Ray itself leaves sockets and processes to the collector, and uses what newer Pythons warn of.
quietly = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="session")
def a_ray():
    """A cluster of one machine, to which a test can add others."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("PYTHONPATH", os.pathsep.join([TESTS, *filter(None, sys.path)]))
        head = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": MEMORY}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="session")
def pool(a_ray):
    """Two actors, so that another one can go on at once."""
    with RayPool(2, num_cpus=0.1, warm_up=[f"{targets.HERE}:talk"]) as made:
        yield made


def there(name, pool, **options):
    return remote(f"{targets.HERE}:{name}", pool, **options)


def chunks(graph, way, mode, **options):
    if way == "sync":
        return [targets.normal(chunk) for chunk in graph.stream(targets.GIVEN, CONFIG, stream_mode=mode, **options)]
    if way == "started":
        run = graph.start(targets.GIVEN, CONFIG)
        return [targets.normal(chunk) for chunk in run.stream(mode, **options)]

    async def read():
        stream = graph.astream(targets.GIVEN, CONFIG, stream_mode=mode, **options)
        return [targets.normal(chunk) async for chunk in stream]

    return asyncio.run(read())


@quietly
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("name", targets.ALIKE)
def test_the_stream_is_the_same(name, way, pool):
    here, elsewhere = (targets.graph_of(node).compile() for node in (targets.local(name), there(name, pool)))
    for mode in (*MODES, MODES):
        for subgraphs in (None, True):
            expected = chunks(here, way, mode, subgraphs=subgraphs)
            assert chunks(elsewhere, way, mode, subgraphs=subgraphs) == expected


@quietly
def test_it_runs_in_another_process(pool):
    assert targets.graph_of(there("worker_pid", pool)).compile().invoke(targets.GIVEN)["value"] != os.getpid()


@quietly
def test_errors(pool):
    graph = targets.graph_of(there("fails", pool)).compile()
    with pytest.raises(targets.OwnError) as raised:
        graph.invoke(targets.GIVEN)
    assert (raised.value.code, type(raised.value.__cause__)) == (7, KeyError)
    assert location_of(raised.value).node == "n"


@pytest.mark.slow
@quietly
def test_a_killed_actor_is_a_typed_error(pool):
    read = []
    graph = targets.graph_of(there("dies", pool)).compile()
    with pytest.raises(WorkerLostError) as raised:
        read.extend(graph.stream({**targets.GIVEN, "log": "once"}, stream_mode="messages"))
    assert location_of(raised.value).node == "n"
    assert isinstance(raised.value.__cause__, ray.exceptions.RayError)


@pytest.mark.slow
@quietly
def test_a_retry_is_never_spliced(pool):
    """The reader gets what the first attempt said, then that it is taken back, then the whole second attempt."""
    read = []

    async def run():
        graph = targets.graph_of(there("dies", pool), retry_policy=RETRY).compile()
        async for chunk in graph.astream({**targets.GIVEN, "log": "once"}, stream_mode="messages"):
            read.append(chunk)

    asyncio.run(run())
    said = [message.content for message, _ in read if message.type != "remove"]
    assert said[:4] == ["1.0 ", "1.1 ", "1.2 ", "1.3 "]
    assert targets.tokens_in_the_stream(read) == ["2.0 2.1 2.2 2.3 2.4 2.5 "]


@pytest.mark.slow
@quietly
def test_a_lost_machine_is_a_typed_error_and_another_one_goes_on(a_ray):
    """The machine of the actor is removed while its node speaks; the retry waits for another that has what it needs."""
    machine = {"num_cpus": 1, "resources": {"far": 1}, "object_store_memory": MEMORY}
    lost = a_ray.add_node(**machine)
    read = []
    with RayPool(num_cpus=0.1, resources={"far": 1}) as pool:
        graph = targets.graph_of(there("dies", pool), retry_policy=RETRY).compile()

        async def run():
            async for chunk in graph.astream({**targets.GIVEN, "log": "waits"}, stream_mode="messages"):
                read.append(chunk)
                if chunk[0].content == "1.3 ":
                    a_ray.remove_node(lost)
                    a_ray.add_node(**machine)

        asyncio.run(run())
    said = [message.content for message, _ in read if message.type != "remove"]
    assert said[:4] == ["1.0 ", "1.1 ", "1.2 ", "1.3 "]
    assert targets.tokens_in_the_stream(read) == ["2.0 2.1 2.2 2.3 2.4 2.5 "]


@quietly
@pytest.mark.parametrize("leave", ["aclose", "timeout", "sync"])
def test_cancellation_reaches_the_node_and_is_waited_for(leave, pool, tmp_path):
    note = tmp_path / "note"
    graph = targets.graph_of(there("sleeps", pool)).compile()
    given = {**targets.GIVEN, "log": str(note)}

    async def read():
        stream = graph.astream(given, stream_mode="custom", timeout=0.5 if leave == "timeout" else None)
        async for _ in stream:
            if leave == "aclose":
                await stream.aclose()

    if leave == "sync":
        with graph.stream(given, stream_mode="custom") as stream:
            next(stream)
    elif leave == "timeout":
        with pytest.raises(TimeoutError):
            asyncio.run(read())
    else:
        asyncio.run(read())
    assert note.read_text() == "cancelled"


@pytest.mark.slow
@quietly
def test_a_slow_reader_holds_the_model_back(pool, tmp_path):
    note = tmp_path / "note"
    graph = targets.graph_of(there("pours", pool)).compile()

    async def read():
        stream = graph.astream({**targets.GIVEN, "log": str(note)}, stream_mode="messages", max_buffer=4)
        made = []
        async for _ in stream:
            await asyncio.sleep(0.02 if len(made) < 20 else 0.3)
            made.append(int(note.read_text()))
            if len(made) > 22:
                await stream.aclose()
        return made

    made = asyncio.run(read())
    assert made[-1] < 800


@quietly
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_nested_graph_asks_and_goes_on_where_it_was(way, pool, tmp_path, monkeypatch):
    """Its steps are saved by the saver of the run, which is in this process."""
    note = tmp_path / "note"
    note.write_text("")
    graph = targets.graph_of(there("asking_graph()", pool)).compile(checkpointer=InMemorySaver())

    def run(given):
        return graph.invoke(given, CONFIG) if way == "sync" else asyncio.run(graph.ainvoke(given, CONFIG))

    asked = [run({**targets.GIVEN, "log": str(note)})["__interrupt__"][0].value]
    asked.append(run(Command(resume="one"))["__interrupt__"][0].value)
    assert run(Command(resume="two"))["value"] == ["one", "two"]
    assert asked == ["inner", "once more"]
    assert note.read_text() == "x"


@quietly
def test_the_store_of_the_run(pool):
    graph = targets.graph_of(there("remembers", pool)).compile(store=InMemoryStore())
    assert asyncio.run(graph.ainvoke(targets.GIVEN))["value"] == [{"value": 1}, ["key", "EventLoopError"]]


@pytest.mark.slow
@quietly
def test_fifty_streams_at_once(pool):
    graph = targets.graph_of(there("talk", pool)).compile()

    async def read():
        return [targets.normal(chunk) async for chunk in graph.astream(targets.GIVEN, stream_mode="messages")]

    async def all_of_them():
        return await asyncio.gather(*(read() for _ in range(50)))

    streams = asyncio.run(all_of_them())
    assert len(streams[0]) > 3
    assert all(stream == streams[0] for stream in streams)


@pytest.mark.slow
@quietly
def test_actors_that_were_ended_are_replaced(pool):
    graph = targets.graph_of(there("worker_pid", pool), retry_policy=RETRY).compile()
    before = [member.actor for member in pool._members]
    for actor in before[:1]:
        ray.kill(actor)
    for _ in range(3):
        assert graph.invoke(targets.GIVEN)["value"] != os.getpid()
    assert len(pool._members) <= 2


@pytest.mark.slow
@quietly
def test_an_actor_that_cannot_load_says_why(a_ray):
    with RayPool(num_cpus=0.1, warm_up=[f"{targets.HERE}:talkk"]) as pool:
        with pytest.raises(UnknownOptionError, match="Did you mean 'talk'"):
            targets.graph_of(there("talk", pool)).compile().invoke(targets.GIVEN)


def test_numbers_are_checked():
    with pytest.raises(UnknownOptionError, match="actors must be at least 1"):
        RayPool(0)


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "streamgraph_integrations.ray_nodes._ray", raising=False)
    monkeypatch.delattr("streamgraph_integrations.ray_nodes._ray", raising=False)
    with pytest.raises(MissingPackageError, match=r"streamgraph\[ray\]"):
        RayPool()
