"""A view as HTML, for notebooks: one element with its own style, no script, everything from outside escaped."""

from __future__ import annotations

from html import escape
from typing import List

from streamgraph.watching._lines import again, name_of
from streamgraph.watching._model import NodeView, RunView, TextView
from streamgraph.watching._safe import safe_line
from streamgraph.watching._values import question_text, state_rows, value_text

_TAIL = 2_000
"""How many characters of a text are shown while it grows."""

_RECENT = 8
"""How many texts are shown while the run goes on."""

_SIGNS = {"idle": "·", "running": "●", "done": "✓", "failed": "✗", "asking": "?", "stopped": "■"}
_WORDS = {"idle": "not run", "asking": "waits for an answer", "interrupted": "waits for an answer", "left": "goes on"}

# Colours that can be read on white and on black, since a notebook's theme is not that of the browser.
_STYLE = """\
.sgv{font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;border-left:3px solid #8886;padding:2px 0 2px 12px}
.sgv ul{list-style:none;margin:4px 0;padding-left:1.2em}
.sgv .sgv-head{font-weight:600}
.sgv small{opacity:.65;font-weight:400}
.sgv .idle{opacity:.55}
.sgv .running>b{color:#2f81f7}
.sgv .done>b{color:#2da44e}
.sgv .failed>b,.sgv .sgv-error{color:#e5534b}
.sgv .asking>b,.sgv .interrupted>b,.sgv .stopped>b,.sgv .cancelled>b{color:#bf8700}
.sgv blockquote{margin:2px 0 8px;padding:0;border:0;white-space:pre-wrap;overflow-wrap:anywhere;font-family:inherit}
.sgv del{opacity:.6}
.sgv td{text-align:left;vertical-align:top;padding:0 12px 0 0;overflow-wrap:anywhere}
.sgv td:first-child{white-space:nowrap;overflow-wrap:normal}
"""


def view_html(view: RunView, now: float, *, graph: str = "", whole: bool = True, with_state: bool = True) -> str:
    """Return a view as an element of HTML.

    Args:
        view: The view.
        now: The time of its clock.
        graph: The name of the graph.
        whole: Show all texts as a whole. Otherwise what grows, at a cost that does not depend on what there is.
        with_state: Show the state.
    """
    rows = [f'<div class="sgv"><style>{_STYLE}</style>', _head(view, now, graph), _tree(view, now)]
    texts = [text for text in (view.texts if whole else view.texts[-_RECENT:]) if text.length]
    rows += [_text(text, whole) for text in texts]
    for question in view.questions.values():
        rows.append(f'<div class="asking"><b>?</b> {_e(question_text(question.value))}</div>')
    if with_state and view.has_state:
        rows.append("<table>" + "".join(_cells(key, value) for key, value in state_rows(view.state)) + "</table>")
    if view.error:
        rows.append(f'<blockquote class="sgv-error" role="alert">{_e(view.error)}</blockquote>')
    return "".join([*rows, "</div>"])


def _head(view: RunView, now: float, graph: str) -> str:
    missing = f", {view.missing} chunks are missing" if view.missing else ""
    said = _WORDS.get(view.status, view.status)
    sign = {"done": "✓", "failed": "✗", "cancelled": "■", "interrupted": "?"}.get(view.status, "●")
    seconds = f"<small>{view.elapsed(now):.1f} s{missing}</small>"
    return f'<div class="sgv-head {view.status}"><b>{sign}</b> {_e(safe_line(graph or "run"))} {said} {seconds}</div>'


def _tree(view: RunView, now: float) -> str:
    rows: List[str] = []
    depth = 0
    for node in view.tree():
        level = len(node.path)
        if level > depth:
            rows.append("<ul>" * (level - depth))
        else:
            rows.append("</li>" + "</ul></li>" * (depth - level))
        rows.append(_row(node, now))
        depth = level
    return "".join(rows) + "</li></ul>" * depth


def _row(node: NodeView, now: float) -> str:
    said = []
    seconds = node.elapsed(now)
    if seconds is not None:
        said.append(f"{seconds:.1f} s")
    runs = node.done + node.failed + len(node.running)
    if runs > 1:
        said.append(f"{runs} times")
    if node.retries:
        said.append(again(node.retries))
    if node.error:
        said.append(value_text(node.error))
    status = node.status
    label = _WORDS.get(status, status)
    return (
        f'<li class="{status}"><b role="img" aria-label="{label}">{_SIGNS[status]}</b> {_e(node.path[-1])}'
        f" <small>{_e(' · '.join(said))}</small>"
    )


def _text(text: TextView, whole: bool) -> str:
    role = "" if text.role in ("ai", "assistant") else f" ({text.role})"
    tags = "".join(f" #{tag}" for tag in text.tags)
    shown = text.text if whole else text.tail(_TAIL)
    before = "" if len(shown) == text.length else "… "
    body = f"{before}{_e(shown)}"
    if text.retracted:
        return (
            f"<small>{_e(name_of(text.path) + role + tags)} retracted</small><blockquote><del>{body}</del></blockquote>"
        )
    return f"<small>{_e(name_of(text.path) + role + tags)}</small><blockquote>{body}</blockquote>"


def _cells(key: str, value: str) -> str:
    return f"<tr><td><small>{_e(key)}</small></td><td>{_e(value)}</td></tr>"


def _e(text: str) -> str:
    return escape(text, quote=True)
