// The thread: its runs, and every record that is saved of it, from which a run can begin anew, maybe with another state.

import { useState } from "preact/hooks";

import { attempt, fork, history, openRun, runs, structure, threadId, trace } from "./store.js";
import { Tree } from "./tree.js";
import { clock, html, Icon, pretty, short, Status } from "./ui.js";

const STATUS = { success: "done", error: "failed", interrupted: "cancelled", running: "running", pending: "running" };

export function History() {
  if (threadId.value === null) return html`<p class="empty">A thread has a history as soon as something has run on it.</p>`;
  const records = history.value;
  return html`
    <h2>Runs</h2>
    ${runs.value.length === 0 && html`<p class="muted">The server does not know any run of this thread any more.</p>`}
    <ul class="runs">${runs.value.map((run) => html`<li key=${run.run_id}>
      <button type="button" class=${`plain run${run.run_id === trace.value.run ? " chosen" : ""}`} onClick=${() => attempt(() => openRun(run.run_id))}>
        <code>${short(run.run_id)}</code><${Status} of=${STATUS[run.status] ?? "idle"} /><span class="space"></span><time>${clock(run.created_at)}</time>
      </button></li>`)}</ul>
    <h2>Records</h2>
    ${records.length === 0 && html`<p class="muted">Nothing is saved yet.</p>`}
    <ol class="records">${records.map((record) => html`<${Record} key=${record.checkpoint.checkpoint_id} record=${record} />`)}</ol>`;
}

function Record({ record }) {
  const [open, show] = useState(false);
  const [text, edit] = useState(null);
  const [asNode, as] = useState("");
  const [wrong, say] = useState("");
  const { metadata, next } = record;
  const nodes = [...new Set((structure.value?.nodes ?? []).map(({ id }) => id.split(":")[0]))].filter((id) => !id.startsWith("__"));
  const change = () => {
    let values;
    try {
      values = JSON.parse(text);
    } catch (error) {
      say(error.message);
      return;
    }
    attempt(() => fork(record, values, asNode));
  };
  return html`<li class=${`record source-${metadata?.source}`} data-record=${record.checkpoint.checkpoint_id}>
    <details open=${open} onToggle=${({ currentTarget }) => show(currentTarget.open)}>
      <summary><span class="step">${metadata?.step ?? ""}</span><span class="next">${next.length ? next.join(", ") : "the end"}</span>
        ${metadata?.source !== "loop" && html`<span class="tag">${metadata?.source}</span>`}<span class="space"></span><time>${clock(record.created_at)}</time></summary>
      ${open && html`<div class="inside">
        ${Object.entries(record.values ?? {}).map(([key, value]) => html`<${Tree} key=${key} name=${key} value=${value} depth=${1} />`)}
        ${text === null
          ? html`<div class="row">
              <button type="button" onClick=${() => attempt(() => fork(record))}><${Icon} name="fork" />Run from here</button>
              <button type="button" class="quiet" onClick=${() => edit(pretty(record.values ?? {}))}>Edit the state</button>
            </div>`
          : html`<label class="field"><span>Update of the state</span><textarea class="code" rows="8" spellcheck="false" value=${text} onInput=${({ target }) => (say(""), edit(target.value))}></textarea>
              <small>It is applied as a node's return value: keys with a reducer are combined.</small></label>
            <label class="field"><span>As node</span><select value=${asNode} onChange=${({ target }) => as(target.value)}><option value="">the last one that ran</option>${nodes.map((id) => html`<option value=${id}>${id}</option>`)}</select></label>
            ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
            <div class="row"><button type="button" class="primary" onClick=${change}><${Icon} name="fork" />Change and run</button>
              <button type="button" class="quiet" onClick=${() => edit(null)}>Leave it</button></div>`}
      </div>`}
    </details>
  </li>`;
}
