// What a run looks like, as a fold of its events: tasks, messages, tool calls, states, questions, and which edges were
// taken. No DOM and no clock of its own: the same records give the same model, live, later, and from a file.

import { applyMessage } from "./messages.js";
import { join, names } from "./paths.js";

export class Model {
  constructor() {
    this.run = { id: null, ids: [], status: "idle", error: null, start: null, end: null, missing: 0 };
    this.tasks = new Map(); // by id, in the order in which they began
    this.messages = new Map(); // by id
    this.tools = new Map(); // by the id of the call
    this.feed = []; // what is read from top to bottom: messages, tool calls, custom data, questions
    this.states = []; // of the root graph, one after each step; the first is the input
    this.inner = new Map(); // states of nested graphs, by namespace
    this.questions = new Map(); // by id
    this.transitions = new Set(); // "a>b": a task of b followed one of a
    this.nodes = new Map(); // by path, "sub:inner"
    this.tags = new Set();
    this.pauses = []; // times in which a person was waited for
    this.now = 0; // the time of the latest record
    this.count = 0;
    this.fresh = true; // no task has begun since the run has
    this.knowsRetries = false; // attempts that have failed are told, also those that have shown nothing
    this.spaces = new Map(); // by namespace: the tasks of its current step and of the one before
  }

  /** Take one record: `{event, data, at}`. */
  apply(record) {
    const [kind, ...ns] = record.event.split("|");
    this.now = Math.max(this.now, record.at ?? this.now);
    this.count += 1;
    if (kind === "metadata") this.begin(record.data);
    else if (kind === "tasks") this.task(ns, record.data);
    else if (kind === "messages") applyMessage(this, ns, record.data);
    else if (kind === "values") this.values(ns, record.data);
    else if (kind === "tools") this.tool(ns, record.data);
    else if (kind === "retries") this.triedAgain(record.data);
    else if (kind === "custom") this.show({ kind: "custom", ns, path: names(ns).join(":"), data: record.data });
    else if (kind === "error") this.failed(record.data);
    else if (kind === "answer") this.answered(record.data);
    else if (kind === "end") this.over(this.open().length ? "asking" : "done");
  }

  begin(data) {
    const { run } = this;
    if (run.end !== null) this.pauses.push({ from: run.end, to: this.now });
    run.id = data.run_id;
    run.ids.push(data.run_id);
    run.status = "running";
    run.end = null;
    run.start ??= this.now;
    this.fresh = true;
    for (const question of this.questions.values()) question.open = false;
  }

  show(item) {
    item.at = this.now;
    item.index = this.feed.length;
    item.revision ??= 0;
    this.feed.push(item);
    return item;
  }

  space(ns) {
    const key = ns.join("|");
    let found = this.spaces.get(key);
    if (found === undefined) {
      found = { prefix: names(ns).join(":"), step: 0, current: [], before: [], ended: true };
      this.spaces.set(key, found);
    }
    return found;
  }

  node(path) {
    let found = this.nodes.get(path);
    if (found === undefined) {
      found = { path, running: 0, count: 0, status: "idle", spent: 0, attempts: 0, order: this.nodes.size };
      this.nodes.set(path, found);
    }
    return found;
  }

  task(ns, data) {
    if ("triggers" in data || "input" in data) this.started(ns, data);
    else this.ended(ns, data);
  }

  started(ns, data) {
    this.fresh = false;
    const space = this.space(ns);
    const path = join(space.prefix, data.name);
    let task = this.tasks.get(data.id);
    if (task === undefined) {
      if (space.ended) {
        space.step += 1;
        space.before = space.current;
        space.current = [];
        space.ended = false;
      }
      task = {
        id: data.id, name: data.name, ns, path, depth: names(ns).length, step: space.step, spans: [], first: null,
        status: "running", error: null, input: data.input, result: undefined, attempts: 1, failures: [], order: this.tasks.size, tokens: 0,
      };
      this.tasks.set(data.id, task);
      space.current.push(task);
      this.travel(space, path, data.triggers ?? []);
    }
    task.status = "running";
    task.spans.push({ start: this.now, end: null });
    const node = this.node(path);
    node.running += 1;
    node.count += task.spans.length === 1 ? 1 : 0;
    node.status = "running";
  }

  triedAgain(data) {
    this.knowsRetries = true;
    const task = this.tasks.get(data.id);
    if (task === undefined) return;
    this.retried(task);
    task.failures.push({ attempt: data.attempt, error: data.error });
  }

  /** Note that an attempt has failed, and another one follows. */
  retried(task) {
    task.attempts += 1;
    task.first = null;
    this.node(task.path).attempts += 1;
  }

  /** Note the edges that lead to a task that begins: from the step before, and from what a join has waited for. */
  travel(space, path, triggers) {
    const sources = new Set(space.before.map((task) => task.path));
    for (const trigger of triggers) {
      const found = /^join:(.+):[^:]+$/.exec(trigger);
      if (found) for (const name of found[1].split("+")) sources.add(join(space.prefix, name));
    }
    if (space.step === 1) sources.add(join(space.prefix, "__start__"));
    for (const source of sources) this.transitions.add(`${source}>${path}`);
  }

  /** Note that a graph has come to its end after its last step. */
  arrive(space) {
    for (const task of space.current) this.transitions.add(`${task.path}>${join(space.prefix, "__end__")}`);
  }

  ended(ns, data) {
    const task = this.tasks.get(data.id);
    if (task === undefined) return; // its start is not kept any more
    const asked = data.interrupts ?? [];
    if (task.status === "asking") {
      // It was answered while its run went on, and has gone on since.
      this.pauses.push({ from: task.spans[task.spans.length - 1].end, to: this.now });
      task.spans.push({ start: this.now, end: null });
      for (const question of this.questions.values()) if (question.task === task.id) question.open = false;
    }
    task.result = data.result;
    task.error = data.error ?? null;
    this.close(task, task.error ? "failed" : asked.length ? "asking" : "done");
    this.space(ns).ended = true;
    for (const question of asked) this.asked(task, question);
    if (task.status === "done") {
      const inner = `${task.name}:${task.id}`;
      for (const [key, space] of this.spaces) {
        if (key === [...ns, inner].join("|")) this.arrive(space);
      }
    }
  }

  close(task, status) {
    const span = task.spans[task.spans.length - 1];
    const node = this.node(task.path);
    if (task.status === "running") node.running -= 1;
    if (span.end === null) {
      span.end = this.now;
      node.spent += span.end - span.start;
    }
    task.status = status;
    node.status = node.running ? "running" : status;
  }

  asked(task, question) {
    const known = this.questions.get(question.id);
    if (known !== undefined) {
      known.open = true;
      return;
    }
    const { id, value, response_schema: schema = null } = question;
    const made = { id, value, schema, task: task.id, path: task.path, open: true, answer: undefined };
    this.questions.set(id, made);
    this.show({ kind: "question", question: made, path: task.path, ns: task.ns, task: task.id });
  }

  /** Note the answer of a person, which the page writes into its log. */
  answered({ id, value }) {
    const question = this.questions.get(id);
    if (question !== undefined) Object.assign(question, { open: false, answer: value });
  }

  values(ns, data) {
    const { __interrupt__: asked, ...values } = data ?? {};
    const key = ns.join("|");
    if (!this.inner.has(key)) this.inner.set(key, []);
    const states = ns.length ? this.inner.get(key) : this.states;
    const space = this.space(ns);
    const state = { values, step: space.step, at: this.now, count: this.count, ns };
    // A run that pauses shows its state again, and one that goes on begins with it.
    const last = states[states.length - 1];
    if (last === undefined || !(asked || this.fresh) || text(last.values) !== text(values)) states.push(state);
    for (const question of asked ?? []) {
      const known = this.questions.get(question.id);
      if (known) known.open = true;
      else this.asked(space.current[0] ?? { id: null, path: "", ns }, question);
    }
  }

  tool(ns, data) {
    const { event, tool_call_id: id } = data;
    let call = this.tools.get(id);
    if (call === undefined) {
      call = { id, name: data.tool_name ?? "", input: data.input, status: "running", start: this.now, end: null, output: undefined };
      this.tools.set(id, call);
      call.item = this.show({ kind: "tool", call, ns, path: names(ns).join(":"), task: null });
    }
    if (event === "tool-finished") Object.assign(call, { status: "done", end: this.now, output: data.output });
    else if (event === "tool-error") Object.assign(call, { status: "failed", end: this.now, output: data.message ?? data.error });
    else if (event === "tool-output-delta") call.partial = (call.partial ?? "") + text(data.delta);
    call.item.revision += 1;
  }

  failed(data) {
    if (data?.error === "ResumeGap") {
      this.run.missing += Number(/^\d+/.exec(data.message ?? "")?.[0] ?? 1);
      return;
    }
    this.run.error = data;
    this.over(data?.error === "UserInterrupt" ? "cancelled" : "failed");
  }

  /** End the run, and with it every timer: nothing goes on after its last record. */
  over(status) {
    this.run.status = status;
    this.run.end = this.now;
    for (const task of this.tasks.values()) if (task.status === "running") this.close(task, "cancelled");
    for (const message of this.messages.values()) message.open = false;
    for (const call of this.tools.values()) if (call.status === "running") Object.assign(call, { status: "cancelled", end: this.now });
    if (status === "done") this.arrive(this.space([]));
  }

  /** The questions that wait for an answer. */
  open() {
    return [...this.questions.values()].filter((question) => question.open);
  }
}

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** Return the model of the first so many records. */
export function fold(records, count = records.length) {
  const model = new Model();
  for (let place = 0; place < count; place += 1) model.apply(records[place]);
  return model;
}
