// What is behind what is seen: the state after a step and what the step has changed, one task, the thread's history.

import { useState } from "preact/hooks";

import { changes } from "./changes.js";
import { History } from "./history.js";
import { choose, model, look, moment, selected, tab, trace } from "./store.js";
import { Leaf, SmallMessage, Tree } from "./tree.js";
import { Copy, duration, html, isMessage, NodeName, pretty, Status } from "./ui.js";

const TABS = [["state", "State"], ["task", "Task"], ["history", "History"]];

export function Inspector() {
  const shown = model();
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = TABS.findIndex(([key]) => key === tab.value);
    tab.value = TABS[(place + step + TABS.length) % TABS.length][0];
    event.currentTarget.querySelector('[aria-selected="true"]')?.focus();
  };
  return html`<section class="panel inspector" aria-label="Inspector">
    <header><div role="tablist" class="tabs" aria-label="What is shown" onKeyDown=${onKey}>
      ${TABS.map(([key, name]) => html`<button type="button" role="tab" id=${`tab-${key}`} aria-controls="inspected" aria-selected=${tab.value === key} tabindex=${tab.value === key ? 0 : -1} onClick=${() => (tab.value = key)}>${name}</button>`)}
    </div></header>
    <div class="scroll" id="inspected" role="tabpanel" aria-labelledby=${`tab-${tab.value}`} tabindex="0">
      ${tab.value === "state" && html`<${State} shown=${shown} />`}
      ${tab.value === "task" && html`<${Task} shown=${shown} />`}
      ${tab.value === "history" && html`<${History} />`}
    </div>
  </section>`;
}

function State({ shown }) {
  const [whole, setWhole] = useState(false);
  const [space, setSpace] = useState("");
  const spaces = [...shown.inner.keys()].filter((key) => key !== "" && shown.inner.get(key).length);
  const states = space && shown.inner.has(space) ? shown.inner.get(space) : shown.states;
  const latest = states[states.length - 1];
  if (latest === undefined) return html`<p class="empty">The state appears here after each step.</p>`;
  const all = space ? states : trace.value.model.states;
  const before = states.length > 1 ? states[states.length - 2].values : undefined;
  const found = changesOf(latest, before);
  return html`
    <div class="bar">
      ${all.length > 20 ? html`<select aria-label="State after which step" value=${latest.count} onChange=${({ target }) => look(Number(target.value) >= trace.value.records.length ? null : Number(target.value))}>
        ${all.map((state) => html`<option value=${state.count}>step ${state.step}</option>`)}</select>` : html`<div class="steps" role="group" aria-label="Steps">
        ${all.map((state) => html`<button type="button" key=${state.count} class=${state.count === latest.count ? "now" : ""} aria-pressed=${state.count === latest.count}
          aria-label=${`State after step ${state.step}`} onClick=${() => look(state.count >= trace.value.records.length ? null : state.count)}>${state.step}</button>`)}
      </div>`}
      <span class="space"></span>
      <${Copy} text=${() => pretty(latest.values)} />
    </div>
    ${spaces.length > 0 && html`<select class="of" aria-label="Of which graph" value=${space} onChange=${({ target }) => setSpace(target.value)}>
      <option value="">the whole graph</option>${spaces.map((key) => html`<option value=${key}>${key.split("|").map((level) => level.slice(0, level.lastIndexOf(":"))).join(" › ")}</option>`)}
    </select>`}
    <h2>${latest.step === 0 ? "Input" : `Changed in step ${latest.step}`}</h2>
    ${found.length ? html`<ul class="changes">${found.map((change) => html`<${Change} key=${change.path.join("/")} change=${change} />`)}</ul>` : html`<p class="muted">nothing</p>`}
    <h2>State ${moment.value === null && latest === states[states.length - 1] ? "now" : "then"}
      <button type="button" class="quiet small" aria-expanded=${!whole} onClick=${() => setWhole(!whole)}>${whole ? "Show" : "Hide"}</button></h2>
    ${!whole && Object.entries(latest.values).map(([key, value]) => html`<${Tree} key=${key} name=${key} value=${value} />`)}
    ${!whole && !Object.keys(latest.values).length && html`<p class="muted">empty</p>`}`;
}

const compared = new WeakMap();

/** What a state has changed; found once for each state. */
function changesOf(state, before) {
  if (!compared.has(state)) compared.set(state, changes(before ?? {}, state.values));
  return compared.get(state);
}

const MARKS = { added: "+", removed: "−", changed: "~" };

function Change({ change: { path, kind, before, after } }) {
  const show = (value) => (isMessage(value) ? html`<${SmallMessage} message=${value} />` : value !== null && typeof value === "object" ? html`<${Tree} value=${value} depth=${1} />` : html`<${Leaf} value=${value} />`);
  return html`<li class=${`change ${kind}`} data-change=${path.join(".")}>
    <span class="mark" aria-label=${kind}>${MARKS[kind]}</span><span class="key">${path.join(".")}</span>
    <div class="what">${kind === "changed" && typeof before !== "object" && html`<del>${show(before)}</del>`}${kind === "removed" ? html`<del>${show(before)}</del>` : show(after)}</div>
  </li>`;
}

function Failure({ error, attempt }) {
  return html`<div class="failure">
    <strong>${attempt ? `Attempt ${attempt}: ` : ""}${error?.error ?? "Failed"}</strong><span class="pre">${error?.message ?? pretty(error)}</span>
  </div>`;
}

function Task({ shown }) {
  const task = shown.tasks.get(selected.value) ?? [...shown.tasks.values()].pop();
  if (task === undefined) return html`<p class="empty">Choose a task in the timeline.</p>`;
  const spent = task.spans.reduce((sum, { start, end }) => sum + (end ?? shown.now) - start, 0);
  const wait = task.first === null ? null : task.first - task.spans[0].start;
  return html`
    <div class="bar"><h2><${NodeName} path=${task.path} /></h2><span class="space"></span><${Status} of=${task.status} /></div>
    <dl class="facts">
      <dt>Step</dt><dd>${task.step}</dd><dt>Took</dt><dd>${duration(spent)}</dd>
      ${wait !== null && html`<dt>First token</dt><dd>after ${duration(wait)}</dd>`}
      ${task.attempts > 1 && html`<dt>Attempts</dt><dd>${task.attempts}</dd>`}
      <dt>Task</dt><dd><code>${task.id}</code></dd>
    </dl>
    ${task.failures.map(({ attempt, error }) => html`<${Failure} key=${attempt} error=${error} attempt=${attempt} />`)}
    ${task.error && html`<${Failure} error=${task.error} />`}
    <h2>Input</h2><${Tree} value=${task.input} />
    ${task.result !== undefined && html`<h2>Result</h2><${Tree} value=${task.result} />`}
    ${selected.value !== null && html`<p><button type="button" class="quiet small" onClick=${() => choose(null)}>Show the latest task</button></p>`}`;
}
