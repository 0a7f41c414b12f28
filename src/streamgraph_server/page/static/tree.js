// A value of JSON as a tree that folds; messages in it are shown as messages.

import { useState } from "preact/hooks";

import { memo } from "./memo.js";
import { html, isMessage, Long, textOf } from "./ui.js";

const MOST = 100;

export const Tree = memo(({ value, name, depth = 0, open = depth < 2 }) => {
  const [shown, show] = useState(open);
  const key = name !== undefined && !(isMessage(value) && /^\d+$/.test(name)) && html`<span class="key">${name}</span>`;
  if (value === null || typeof value !== "object") {
    return html`<div class="leaf">${key}<${Leaf} value=${value} /></div>`;
  }
  if (isMessage(value)) return html`<div class="leaf">${key}<${SmallMessage} message=${value} /></div>`;
  const entries = Array.isArray(value) ? value.map((item, place) => [String(place), item]) : Object.entries(value);
  if (!entries.length) return html`<div class="leaf">${key}<span class="muted">${Array.isArray(value) ? "[ ]" : "{ }"}</span></div>`;
  if (name === undefined && depth === 0) return html`<div class="whole"><${Entries} entries=${entries} depth=${1} /></div>`;
  const brief = Array.isArray(value) ? `${entries.length} items` : brief_(entries);
  return html`<details class="branch" open=${shown} onToggle=${({ currentTarget }) => show(currentTarget.open)}>
    <summary>${key}<span class="muted">${shown ? (Array.isArray(value) ? `${entries.length}` : "") : brief}</span></summary>
    ${shown && html`<div class="inside"><${Entries} entries=${entries} depth=${depth + 1} /></div>`}
  </details>`;
});

function Entries({ entries, depth }) {
  const [most, show] = useState(MOST);
  return html`${entries.slice(0, most).map(([key, item]) => html`<${Tree} key=${key} name=${key} value=${item} depth=${depth} />`)}
    ${entries.length > most && html`<button type="button" class="quiet small" onClick=${() => show(most * 4)}>${entries.length - most} more</button>`}`;
}

const brief_ = (entries) => entries.slice(0, 4).map(([key]) => key).join(", ") + (entries.length > 4 ? ", …" : "");

export function Leaf({ value }) {
  if (typeof value === "string") return html`<${Long} text=${value} most=${600} class="string" />`;
  return html`<span class=${value === null ? "muted" : "literal"}>${String(value)}</span>`;
}

/** A message in a state or a prompt: who says what, and which tools are called. */
export function SmallMessage({ message }) {
  const text = textOf(message.content);
  const role = { AIMessageChunk: "ai", constructor: "message" }[message.type] ?? message.type;
  return html`<div class=${`small-message from-${role}`}>
    <span class="role">${role}${message.name ? ` · ${message.name}` : ""}</span>
    <div>
      ${text && html`<${Long} text=${text} most=${1500} class="pre" />`}
      ${(message.tool_calls ?? []).map((call) => html`<div class="asked-call"><span class="arrow" aria-hidden="true">→</span> <code>${call.name}</code><code class="args">${JSON.stringify(call.args)}</code></div>`)}
      ${!text && !message.tool_calls?.length && html`<span class="muted">empty</span>`}
    </div>
  </div>`;
}
