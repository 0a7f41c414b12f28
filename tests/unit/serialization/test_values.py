"""Every value that can be written exactly is read back as the same value, and plain JSON has no tags."""

from __future__ import annotations

import enum
import json
import threading
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Optional
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, PrivateAttr, RootModel, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from streamgraph.serialization import Unserializable, dumps, loads, to_json
from streamgraph.types import Command, Gap, Heartbeat, Interrupt, Overwrite, RunningTask, Send, TimeoutPolicy
from support.exactly import exactly


class Color(enum.Enum):
    RED = "red"
    ODD = (1, 2)


class Level(enum.IntEnum):
    LOW = 1


class Mark(str, enum.Enum):
    A = "a"


class Flags(enum.Flag):
    X = 1
    Y = 2


Point = namedtuple("Point", "x y")


@dataclass(frozen=True)
class Plan:
    steps: List[str]
    made: date
    note: Optional[str] = None
    rest: Dict[str, Any] = field(default_factory=dict, init=False)


@dataclass
class Needs:
    a: int
    extra: InitVar[int] = 0

    def __post_init__(self, extra):
        self.a += extra


@pydantic_dataclass
class Checked:
    a: int
    when: datetime


class Inner(BaseModel):
    tags: set = Field(default_factory=set)


class Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str
    price: Decimal = Decimal("1.50")
    inner: Optional[Inner] = None
    at: Optional[datetime] = None
    anything: Any = None
    _secret: int = PrivateAttr(default=7)


class Aliased(BaseModel):
    first: int = Field(alias="First")
    second: int = Field(validation_alias=AliasChoices("b", "B"))
    third: int = Field(validation_alias=AliasPath("deep", 1, "c"))


class Twice(BaseModel):
    """Its validator changes what it is given each time."""

    model_config = ConfigDict(frozen=True)
    text: str

    @field_validator("text", mode="before")
    @classmethod
    def _marked(cls, text):
        return f"{text}!"


class Numbers(RootModel[List[int]]):
    pass


class Typed(TypedDict):
    a: int


class Text(str):
    pass


ALLOW = [Color, Level, Mark, Flags, Point, Plan, Needs, Checked, Inner, Model, Aliased, Twice, Numbers]

VALUES = [
    float("nan"),
    float("inf"),
    -float("inf"),
    -0.0,
    1e300,
    10**40,
    -1,
    True,
    None,
    "",
    "é\u2028\0",
    "\ud800",
    "a\udfff",
    (),
    (1, (2,)),
    [(), []],
    {1, 2},
    frozenset({"a"}),
    {(1, 2): [3]},
    {1: "a", "1": "b", None: 0, 2.5: 1},
    {"\ud800": 1},
    {"$type": "set", "value": []},
    [{"$type": {"$type": 1}}],
    b"\xff\0",
    bytearray(b"x"),
    1 + 2j,
    complex(0, float("nan")),
    datetime(2024, 1, 2, 3, 4, 5, 6),
    datetime(2024, 1, 2, tzinfo=timezone.utc),
    date(1, 1, 1),
    time(1, 2, 3, 4),
    datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    time(1, tzinfo=timezone(timedelta(hours=5.5))),
    timedelta(-1, 2, 3),
    Decimal("1.10"),
    Decimal("NaN"),
    Fraction(1, 3),
    UUID(int=5),
    Path("a/b"),
    range(1, 9, 2),
    deque([1, (2,)], maxlen=5),
    deque(),
    OrderedDict(b=1, a=(2,)),
    Counter("aab"),
    defaultdict(list, a=[1]),
    defaultdict(None, {1: 2}),
    Color.RED,
    Color.ODD,
    Level.LOW,
    Mark.A,
    Flags.X,
    Flags.X | Flags.Y,
    Point(1, (2,)),
    Checked(1, datetime(2024, 1, 1)),
    Inner(tags={1, "a"}),
    Model(name="a"),
    Model(name="a", more=(1,), inner=Inner()),
    Model(name="\ud800", anything=[Color.RED, Plan(["x"], date(2024, 1, 1))]),
    Numbers([1, 2]),
    Twice(text="a"),
    Document("text", metadata={"a": (1,)}, id="1"),
    Document(page_content="x"),
    Typed(a=1),
    int,
    dict,
    Interrupt("May I?", "abc", response_schema={"type": "string"}),
    Interrupt({"a": {1}}, "b"),
    Send("n", {"a": (1,)}),
    Send("n", 1, timeout=TimeoutPolicy(run_timeout=3.0)),
    Command(update={"a": {1}}, goto=[Send("x", 1), "y"], resume={"i": 2}),
    Command(graph=Command.PARENT, goto="z"),
    Overwrite([1]),
    Gap(3, {"messages": 3}),
    Heartbeat(1.5, (RunningTask("n", 1, "id", 0.5),)),
]


@pytest.mark.parametrize("value", VALUES, ids=[f"{number}-{type(one).__name__}" for number, one in enumerate(VALUES)])
def test_a_value_is_read_back_as_itself_and_plain_json_has_no_tags(value):
    back = loads(dumps(value), allow=ALLOW)
    assert exactly(value, back), (value, back)
    nested = {"a": [value, {"b": (value,)}]}
    assert exactly(nested, loads(dumps(nested).decode(), allow=ALLOW))
    plain = to_json({"a": value})
    json.loads(plain, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert "$type" in repr(value) or b"$type" not in plain


def test_the_fields_that_were_set_stay_those_that_were_set():
    model = Model(name="a")
    back = loads(dumps(model), allow=ALLOW)
    assert back.model_fields_set == {"name"}
    assert back._secret == 7
    assert back.model_dump(exclude_unset=True) == {"name": "a"}


def test_models_are_found_under_their_aliases():
    model = Aliased(First=1, B=2, deep=[None, {"c": 3}])
    assert exactly(loads(dumps(model), allow=ALLOW), model)


def test_a_dataclass_that_cannot_be_made_of_its_fields_is_filled_with_them():
    plan = Plan(["a"], date(2024, 1, 1))
    plan.rest["x"] = (1,)
    assert exactly(loads(dumps(plan), allow=ALLOW), plan)
    assert loads(dumps(Needs(1, 5)), allow=ALLOW).a == 6


def test_what_extends_a_plain_class_is_written_as_that_class():
    class Numbered(dict):
        pass

    for value, plain in ((Text("a"), "a"), (Numbered(a=1), {"a": 1}), (type("L", (list,), {})([1]), [1])):
        assert exactly(loads(dumps(value)), plain)


class Closed:
    def __repr__(self):
        raise RuntimeError("no")


class Wild:
    """Raises wherever it can."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __hash__(self):
        raise RuntimeError("hash")


class Dumping(BaseModel):
    """A model whose serializer fails."""

    a: Any = None

    def model_dump(self, *args, **options):
        raise RuntimeError("no dump")


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    lock: Closed
    name: str = "n"


def _endless():
    while True:
        yield 1


def circular() -> List[Any]:
    ring: List[Any] = [1]
    ring.append({"again": ring, "twice": ring})
    return ring


def deep(levels: int, kind: Any) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = kind(value)
    return value


LOST = [
    threading.Lock(),
    Closed(),
    Wild(),
    lambda: 1,
    _endless(),
    circular(),
    deep(400, lambda value: [value]),
    deep(400, lambda value: (value,)),
    deep(300, lambda value: {1: value}),
    object(),
    memoryview(b"a"),
    Holder(lock=Closed()),
    Model(name="a", anything=Closed()),
    Dumping(a=Closed()),
]


@pytest.mark.parametrize("value", LOST, ids=lambda value: type(value).__name__)
def test_what_cannot_be_written_is_a_placeholder_and_never_an_exception(value):
    around = {"before": (1,), "it": value, "after": {2}}
    back = loads(dumps(around), allow=[Model, Dumping])
    assert back["before"] == (1,)
    assert back["after"] == {2}
    assert "Unserializable" in repr(back)
    plain = json.loads(to_json(around))
    assert plain["after"] == [2]


def test_a_placeholder_says_what_was_lost_and_a_generator_is_not_used_up():
    numbers = iter([1, 2, 3])
    back = loads(dumps({"n": numbers, "lock": Holder(lock=Closed())}))
    assert list(numbers) == [1, 2, 3]
    assert back["n"].class_name == "list_iterator"
    assert back["lock"] == Unserializable(f"{__name__}.Holder", "its repr() raises RuntimeError")
    assert json.loads(to_json({1})) == [1]
    assert json.loads(to_json(Closed())).startswith("<not serializable: ")


def test_a_container_that_changes_meanwhile_becomes_a_placeholder():
    class Restless(deque):
        def __iter__(self):
            raise RuntimeError("deque mutated during iteration")

    for write in (to_json, dumps):
        assert b"mutated during" in write([Restless([1])])


def test_numbers_and_arrays_of_numpy_are_plain_numbers_for_clients():
    made = type("float32", (), {"__module__": "numpy", "tolist": lambda self: [1.5, 2]})
    assert json.loads(to_json({"a": made()})) == {"a": [1.5, 2]}


def test_plain_json_is_what_a_client_expects():
    shown = json.loads(
        to_json(
            {
                "set": {3, 1, 2},
                "point": Point(1, (2,)),
                "when": datetime(2024, 1, 2, tzinfo=timezone.utc),
                "took": timedelta(seconds=1.5),
                "id": UUID(int=5),
                "price": Decimal("1.10"),
                "nan": [float("nan"), float("inf")],
                "bytes": b"hi",
                "color": Color.RED,
                "text": "a\ud800b",
                "pair": "\ud83d" + "\ude00",
                "keys": {1: "a", None: "b", False: "c", Color.RED: "d", (1, 2): "e"},
                "model": Model(name="a"),
                "question": Interrupt("May I?", "abc"),
                "asked": Interrupt("Which?", "abc", response_schema=Inner),
                "send": Send("n", {"a": 1}),
            }
        )
    )
    assert shown.pop("asked")["response_schema"]["properties"].keys() == {"tags"}
    assert shown == {
        "set": [1, 2, 3],
        "point": {"x": 1, "y": [2]},
        "when": "2024-01-02T00:00:00+00:00",
        "took": 1.5,
        "id": "00000000-0000-0000-0000-000000000005",
        "price": "1.10",
        "nan": [None, None],
        "bytes": "aGk=",
        "color": "red",
        "text": "a\ufffdb",
        "pair": "😀",
        "keys": {"1": "a", "null": "b", "false": "c", "red": "d", "(1, 2)": "e"},
        "model": {"name": "a", "price": "1.50", "inner": None, "at": None, "anything": None},
        "question": {"value": "May I?", "id": "abc"},
        "send": {"node": "n", "arg": {"a": 1}, "timeout": None},
    }


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]), max_size=2)
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(timezone.utc))
    | st.dates()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.sampled_from([*Color, *Level, Flags.X | Flags.Y])
    | st.builds(Unserializable, st.text(), st.text())
)
KEYS = st.text() | st.sampled_from(["$type", "type", "ns", "data"]) | st.integers() | st.tuples(st.integers())
VALUE = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(st.integers() | st.text())
        | st.builds(Model, name=st.text(), anything=inner)
        | st.builds(Point, inner, inner)
        | st.builds(Document, page_content=st.text(), metadata=st.dictionaries(st.text(), inner))
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(VALUE)
def test_whatever_is_built_of_these_is_read_back(value):
    data = dumps(value)
    assert b"\n" not in data
    assert exactly(loads(data, allow=ALLOW), value)
    json.loads(to_json(value), parse_constant=lambda name: pytest.fail(name))


def test_an_object_that_lies_about_its_class_is_a_placeholder():
    class Odd:
        @property
        def __class__(self):
            return 1 / 0

    for write in (to_json, dumps):
        assert b"Odd" in write([Odd()])
