// The page: its header, its panels, and what its keys do.

import { render } from "preact";
import { useEffect } from "preact/hooks";

import { Composer } from "./composer.js";
import { Feed } from "./feed.js";
import { GraphView } from "./graph_view.js";
import { Inspector } from "./inspector.js";
import { openLog, saveLog } from "./log.js";
import { drawnBy } from "./signals.js";
import * as store from "./store.js";
import { nextTheme, theme } from "./theme.js";
import { clock, duration, html, Icon, short, Status, useTicking } from "./ui.js";
import { Waterfall } from "./waterfall.js";

const VIEWS = [["graph", "Graph"], ["stream", "Stream"], ["timeline", "Timeline"], ["inspector", "State"]];

function Header() {
  const shown = store.model();
  const { run } = shown;
  const status = run.status === "running" && shown.open().length ? "asking" : run.status;
  const live = store.trace.value.live;
  useTicking(live && run.status === "running");
  const pick = ({ target }) => {
    const [file] = target.files;
    target.value = "";
    if (file) store.attempt(() => openLog(file));
  };
  return html`<header class="top">
    <h1><svg viewBox="0 0 32 20" aria-hidden="true"><path d="M5 10C14 10 13 4 22 4M5 10c9 0 8 6 17 6" /><circle cx="5" cy="10" r="3.6" /><circle cx="25" cy="4" r="3.2" /><circle cx="25" cy="16" r="3.2" /></svg><span>streamgraph</span></h1>
    ${store.graphs.value.length > 1
      ? html`<select aria-label="Graph" value=${store.graphName.value} onChange=${({ target }) => store.attempt(() => store.chooseGraph(target.value))}>${store.graphs.value.map((name) => html`<option value=${name}>${name}</option>`)}</select>`
      : html`<span class="graph-name">${store.graphName.value}</span>`}
    <${Threads} />
    ${run.status !== "idle" && html`<span class="state-now" role="status"><${Status} of=${status} /></span>
      <span class="elapsed numbers">${duration(elapsed(shown, live))}</span>`}
    ${store.lost.value && html`<span class="lost" role="status">connection lost, trying again…</span>`}
    ${store.moment.value !== null && html`<span class="then">event ${store.moment.value}</span>`}
    <span class="space"></span>
    ${live && run.status === "running" && html`<button type="button" class="stop" onClick=${store.cancel}><${Icon} name="stop" />Stop</button>`}
    <button type="button" class="quiet icon-only" title="Save the log" aria-label="Save the log to a file" disabled=${!store.trace.value.records.length} onClick=${saveLog}><${Icon} name="save" /></button>
    <label class="button quiet icon-only" title="Open a log"><${Icon} name="open" /><span class="unseen">Open a log from a file</span><input type="file" class="unseen" accept=".jsonl" onChange=${pick} /></label>
    <button type="button" class="quiet icon-only" title=${`Theme: ${theme.value}`} aria-label=${`Theme: ${theme.value}. Change it`} onClick=${nextTheme}><${Icon} name="sun" /></button>
  </header>`;
}

function elapsed(shown, live) {
  const { run, now, pauses } = shown;
  const waited = pauses.reduce((sum, { from, to }) => sum + to - from, 0);
  const until = run.end ?? (live && store.moment.value === null ? store.present(shown) : now);
  return until - run.start - waited;
}

function Threads() {
  const id = store.threadId.value;
  const known = store.threads.value.some((thread) => thread.thread_id === id);
  const change = ({ target }) => store.attempt(() => (target.value ? store.openThread(target.value) : store.freshThread()));
  return html`<span class="threads">
    <select aria-label="Thread" value=${id ?? ""} onChange=${change}>
      <option value="">new thread</option>
      ${id !== null && !known && html`<option value=${id}>${short(id)}</option>`}
      ${store.threads.value.map((thread) => html`<option value=${thread.thread_id}>${short(thread.thread_id)} · ${clock(thread.updated_at)}${thread.status === "idle" ? "" : ` · ${thread.status}`}</option>`)}
    </select>
    <button type="button" class="quiet icon-only" title="New thread" aria-label="New thread" onClick=${() => store.attempt(store.freshThread)}><${Icon} name="plus" /></button>
  </span>`;
}

function App() {
  const view = store.view.value;
  useEffect(() => {
    const onHash = () => store.attempt(store.open);
    addEventListener("hashchange", onHash);
    addEventListener("keydown", onKey);
    return () => (removeEventListener("hashchange", onHash), removeEventListener("keydown", onKey));
  }, []);
  const { file } = store.trace.value;
  return html`<div class="app" data-view=${view}>
    <${Header} />
    ${file && html`<p class="banner">${file}: a log from a file. <button type="button" class="small" onClick=${() => store.attempt(store.freshThread)}>Close it</button></p>`}
    ${store.notice.value && html`<p class="banner wrong" role="alert">${store.notice.value} <button type="button" class="small" onClick=${() => (store.notice.value = null)}>Close</button></p>`}
    <main>
      <${GraphView} />
      <${Feed}><${Composer} /><//>
      <${Inspector} />
      <${Waterfall} />
    </main>
    <nav class="views" aria-label="Panels">${VIEWS.map(([key, name]) => html`<button type="button" aria-pressed=${view === key} onClick=${() => (store.view.value = key)}>${name}</button>`)}</nav>
  </div>`;
}

/** `/` goes to the filter, `j` and `k` through the tasks, `s` stops the run, `[` and `]` go step by step. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  const { model, trace } = store;
  const tasks = [...model().tasks.keys()];
  const at = tasks.indexOf(store.selected.value);
  const counts = trace.value.model.states.map((state) => state.count);
  const now = store.moment.value ?? trace.value.records.length;
  const acts = {
    "/": () => document.getElementById("find")?.focus(),
    j: () => tasks.length && store.choose(tasks[Math.min(tasks.length - 1, at + 1)]),
    k: () => tasks.length && store.choose(tasks[Math.max(0, at - 1)]),
    s: () => trace.value.live && store.cancel(),
    "[": () => store.look(Math.max(1, counts.filter((count) => count < now).pop() ?? 1)),
    "]": () => store.look(counts.find((count) => count > now) ?? null),
  };
  if (!(event.key in acts)) return;
  event.preventDefault();
  acts[event.key]();
}

drawnBy(() => render(html`<${App} />`, document.getElementById("page")));
store.attempt(store.open);
