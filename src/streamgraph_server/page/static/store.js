// The state of the page, and everything that it does: which graph, thread and run are shown, reading a run, starting
// and answering one, and the moment of it that is looked at. Views read signals; only this module changes them.

import * as address from "./address.js";
import * as api from "./api.js";
import { fold, Model } from "./fold.js";
import { eventsOf } from "./saved.js";
import { signal } from "./signals.js";

export const graphs = signal([]);
export const graphName = signal("");
export const structure = signal(null);
export const schemas = signal({});
export const threads = signal([]);
export const threadId = signal(null);
export const runs = signal([]);
export const history = signal([]);
export const trace = signal(empty());
export const moment = signal(null); // the number of records that are looked at; null for all
export const lost = signal(false);
export const notice = signal(null);
export const tick = signal(0);
export const filter = signal({ nodes: new Set(), tags: new Set(), text: "" });
export const selected = signal(null); // the id of a task
export const tab = signal("state");
export const inputShown = signal(true);
export const view = signal("stream"); // the panel that a narrow screen shows
export const closed = signal(new Set()); // nested graphs that are folded

let past = { trace: null, count: -1, model: null };

/** The model that is shown: of the run as it is, or as it was at the moment that is looked at. */
export function model() {
  const { records, model: live } = trace.value;
  const count = moment.value;
  if (count === null || count >= records.length) return live;
  if (past.trace !== trace.value || past.count !== count) past = { trace: trace.value, count, model: fold(records, count) };
  return past.model;
}

function empty(more) {
  return { records: [], model: new Model(), thread: null, run: null, live: false, stop: new AbortController(), ...more };
}

let asked = false;
let drawn = 0;
let took = 0;

/** Show what has come, with the next picture that the screen draws. */
function refresh() {
  if (asked) return;
  asked = true;
  const show = () => {
    asked = false;
    drawn = performance.now();
    tick.value += 1;
    // A tab that nobody sees is not drawn at all; how long that was says nothing of how long drawing takes.
    requestAnimationFrame(() => (took = Math.min(250, performance.now() - drawn)));
  };
  // What takes long to draw is drawn less often, so that most of the time is left for everything else.
  const wait = document.hidden ? 200 : 2 * took - (performance.now() - drawn);
  if (wait > 16) setTimeout(show, wait);
  else requestAnimationFrame(show);
}

const came = new WeakMap();

/** The time of a run now, by the clock of its server: that of its latest event, and what has passed since it came. */
export function present(shown) {
  let known = came.get(shown);
  if (known?.now !== shown.now) came.set(shown, (known = { now: shown.now, here: performance.now() }));
  return shown.now + performance.now() - known.here;
}

/** Do something that the server may refuse, and say so on the page if it does. */
export async function attempt(work) {
  notice.value = null;
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") notice.value = error.message || String(error);
    return undefined;
  }
}

export async function open() {
  const there = address.read();
  graphs.value = (await api.assistants()).map((found) => found.graph_id);
  await chooseGraph(graphs.value.includes(there.graph) ? there.graph : graphs.value[0]);
  if (there.thread) await openThread(there.thread, there.run, there.at);
}

export async function chooseGraph(name) {
  if (name === undefined || name === graphName.value) return;
  leave();
  inputShown.value = true;
  graphName.value = name;
  threadId.value = null;
  structure.value = null;
  filter.value = { nodes: new Set(), tags: new Set(), text: "" };
  const [drawn, known] = await Promise.all([api.structure(name), api.schemas(name)]);
  structure.value = drawn;
  schemas.value = known;
  remember();
  await listThreads();
}

export async function listThreads() {
  threads.value = await api.threads(graphName.value);
}

/** Read no further in the run that is shown; it goes on without the page. */
function leave() {
  trace.value.stop.abort();
  trace.value = empty();
  moment.value = null;
  selected.value = null;
  runs.value = [];
  history.value = [];
  lost.value = false;
}

export async function freshThread() {
  leave();
  threadId.value = null;
  inputShown.value = true;
  view.value = "stream";
  remember();
}

/** Show a thread: the run that is named, or its latest one, or what is saved of it. */
export async function openThread(thread, run, at) {
  leave();
  inputShown.value = false;
  threadId.value = thread;
  runs.value = await api.runs(thread);
  const latest = runs.value.find((known) => known.run_id === run) ?? runs.value[0];
  await listHistory();
  if (latest) {
    const reading = read(latest.run_id, null);
    if (at !== undefined) moment.value = at;
    void reading;
  } else if (history.value.length) {
    const records = eventsOf(history.value);
    trace.value = empty({ thread, records, model: fold(records), saved: true });
    if (at !== undefined) look(at);
  }
  remember();
}

export async function openRun(run) {
  const thread = threadId.value;
  trace.value.stop.abort();
  moment.value = null;
  selected.value = null;
  void read(run, null);
  threadId.value = thread;
  remember();
}

export async function listHistory() {
  history.value = threadId.value === null ? [] : await api.history(threadId.value);
}

/** Read a run to its end: from the response that has started it, or from its first record. */
async function read(run, response, goOn = false) {
  if (!goOn) {
    trace.value.stop.abort();
    trace.value = empty({ thread: threadId.value, run });
  }
  const shown = trace.value;
  shown.live = true;
  shown.run = run;
  shown.stop = new AbortController();
  const begun = performance.now();
  const base = Date.now();
  let rested = begun;
  try {
    for await (const record of api.follow(shown.thread, run, response, shown.stop.signal, (is) => (lost.value = is))) {
      record.at ??= base + (performance.now() - begun);
      shown.records.push(record);
      shown.model.apply(record);
      if (record.event === "metadata") {
        shown.run = record.data.run_id;
        remember();
      }
      refresh();
      // Much may come at once: the page has to be drawn, and to hear the person, in between.
      if (performance.now() - rested > 10) {
        await new Promise((resume) => setTimeout(resume));
        rested = performance.now();
      }
    }
  } catch (error) {
    if (!shown.stop.signal.aborted) {
      notice.value = error.message;
      shown.model.apply({ event: "error", data: { error: "Unreadable", message: error.message } });
    }
  }
  shown.live = false;
  refresh();
  if (trace.value === shown && !shown.stop.signal.aborted) {
    await attempt(async () => {
      [runs.value] = await Promise.all([api.runs(shown.thread), listHistory(), listThreads()]);
    });
  }
}

/** Start a run on the thread that is shown, or on a new one. */
export async function start(body, { goOn = false } = {}) {
  if (threadId.value === null) threadId.value = (await api.newThread()).thread_id;
  const thread = threadId.value;
  const stop = new AbortController();
  const response = await api.startRun(thread, { assistant_id: graphName.value, ...body }, stop.signal);
  moment.value = null;
  void read(null, response, goOn && trace.value.thread === thread);
  view.value = "stream";
  inputShown.value = false;
}

export const cancel = () => attempt(() => api.cancel(trace.value.thread, trace.value.run));

/** Answer questions; `answers` has the answers by the ids of the questions. */
export async function answer(answers) {
  const shown = trace.value;
  for (const [id, value] of Object.entries(answers)) {
    const record = { event: "answer", data: { id, value }, at: shown.model.now };
    shown.records.push(record);
    shown.model.apply(record);
  }
  tick.value += 1;
  const { live, thread, run, model: { run: { status } } } = trace.value;
  if (live && status === "running") {
    for (const [id, value] of Object.entries(answers)) await api.answerLive(thread, run, id, value);
  } else await start({ command: { resume: answers } }, { goOn: true });
}

/** Run again from a record of the thread; with `values`, from that record with its state changed. */
export async function fork(record, values, asNode) {
  let checkpoint = record.checkpoint.checkpoint_id;
  if (values !== undefined) {
    const body = { values, checkpoint_id: checkpoint, ...(asNode ? { as_node: asNode } : {}) };
    checkpoint = (await api.update(threadId.value, body)).checkpoint.checkpoint_id;
  }
  await start({ checkpoint_id: checkpoint });
}

export function look(count) {
  moment.value = count === null || count >= trace.value.records.length ? null : Math.max(0, count);
  remember();
}

export function choose(task) {
  selected.value = task;
  if (task !== null) tab.value = "task";
}

/** Show a log that was saved; there is nothing to start or answer in it. */
export function show(log) {
  leave();
  if (log.graph) structure.value = log.graph;
  const records = log.records;
  trace.value = empty({ records, model: fold(records), run: log.run ?? null, file: log.name });
  tick.value += 1;
}

function remember() {
  address.write({
    graph: graphName.value, thread: threadId.value, run: trace.value.run, at: moment.value,
  });
}
