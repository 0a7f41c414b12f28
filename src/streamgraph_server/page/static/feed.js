// What is said, in the order in which it was said: messages as they grow, tool calls, custom data, questions. Filters
// by node, by tag and by text.

import { memo } from "./memo.js";
import { useEffect, useRef, useState } from "preact/hooks";

import { Question } from "./question.js";
import { choose, filter, model } from "./store.js";
import { Prompt } from "./prompt.js";
import { Copy, duration, html, Icon, keepsUp, Long, NodeName, pretty, Status, textOf } from "./ui.js";
import { Tree } from "./tree.js";

const MOST = 100;

function fits(item, { nodes, tags, text }) {
  if (nodes.size && ![...nodes].some((path) => item.path === path || item.path.startsWith(`${path}:`))) return false;
  if (tags.size && !(item.message?.tags ?? []).some((tag) => tags.has(tag))) return false;
  if (text === "") return true;
  const { message, call, data } = item;
  const words = message ? message.text + message.reasoning : call ? call.name + pretty(call.input) + pretty(call.output) : pretty(data);
  return words.toLowerCase().includes(text.toLowerCase());
}

export function Feed({ children }) {
  const shown = model();
  const [more, show] = useState(0);
  const end = useRef(null);
  const scroller = useRef(null);
  const sticky = useRef(true);
  const before = useRef(0);
  const chosen = filter.value;
  const items = shown.feed.filter((item) => fits(item, chosen));
  const first = Math.max(0, items.length - MOST - more);
  useEffect(() => {
    if (sticky.current && scroller.current && shown.feed.length) scroller.current.scrollTop = scroller.current.scrollHeight;
  });
  const onScroll = ({ currentTarget: at }) => (sticky.current = keepsUp(at, sticky.current, before, 60));
  return html`<section class="panel feed" aria-label="Stream">
    <header>
      <h2>Stream</h2>
      <${Filters} shown=${shown} />
    </header>
    <div class="scroll" ref=${scroller} onScroll=${onScroll} tabindex="0" role="region" aria-label="What the run has said">
      ${shown.run.missing > 0 && html`<p class="gap">${shown.run.missing} earlier events are not kept any more.</p>`}
      ${first > 0 && html`<button type="button" class="wide quiet" onClick=${() => show(more + MOST)}>Show ${Math.min(first, MOST)} of ${first} earlier</button>`}
      <ol class="items">
        ${items.slice(first).map((item) => html`<${Item} key=${item.index} item=${item} revision=${item.revision} open=${isOpen(item)} />`)}
      </ol>
      ${shown.run.error && html`<${Failure} error=${shown.run.error} />`}
      ${!shown.feed.length && shown.run.status === "idle" && html`<${Welcome} />`}
      ${!items.length && shown.feed.length > 0 && html`<p class="empty">Nothing fits the filter. It hides ${shown.feed.length} items.</p>`}
      <div ref=${end}></div>
    </div>
    ${children}
  </section>`;
}

const isOpen = (item) => item.message?.open ?? item.question?.open ?? item.call?.status;

const Welcome = () => html`<div class="welcome">
  <svg viewBox="0 0 120 48" aria-hidden="true"><path d="M18 24C40 24 40 10 60 10s20 14 42 14M18 24c22 0 22 14 42 14s20-14 42-14" /><circle cx="18" cy="24" r="7" /><circle cx="60" cy="10" r="7" /><circle cx="60" cy="38" r="7" /><circle cx="102" cy="24" r="7" /></svg>
  <h3>Nothing has run yet</h3>
  <p>Give an input below and run the graph. Everything that it does appears here as it happens.</p>
</div>`;

const Failure = ({ error }) => {
  const cancelled = error.error === "UserInterrupt";
  return html`<div class=${`failure${cancelled ? " mild" : ""}`} role="alert">
    <strong>${cancelled ? "Cancelled" : error.error}</strong>
    <${Long} text=${String(error.message ?? "")} class="pre" />
  </div>`;
};

function Filters({ shown }) {
  const { nodes, tags, text } = filter.value;
  const set = (change) => (filter.value = { ...filter.value, ...change });
  const without = (all, one) => new Set([...all].filter((known) => known !== one));
  const paths = [...shown.nodes.keys()].filter((path) => !nodes.has(path));
  const others = [...shown.tags].filter((tag) => !tags.has(tag));
  return html`<div class="filters" role="group" aria-label="Filters">
    ${[...nodes].map((path) => html`<button type="button" class="chip" aria-label=${`Do not filter by node ${path}`} onClick=${() => set({ nodes: without(nodes, path) })}><${NodeName} path=${path} /> ×</button>`)}
    ${[...tags].map((tag) => html`<button type="button" class="chip" aria-label=${`Do not filter by tag ${tag}`} onClick=${() => set({ tags: without(tags, tag) })}>#${tag} ×</button>`)}
    ${paths.length > 1 && html`<select aria-label="Only this node" value="" onChange=${({ target }) => (set({ nodes: new Set([...nodes, target.value]) }), (target.value = ""))}>
      <option value="">Node</option>${paths.map((path) => html`<option value=${path}>${path.replaceAll(":", " › ")}</option>`)}
    </select>`}
    ${others.length > 0 && html`<select aria-label="Only this tag" value="" onChange=${({ target }) => (set({ tags: new Set([...tags, target.value]) }), (target.value = ""))}>
      <option value="">Tag</option>${others.map((tag) => html`<option value=${tag}>#${tag}</option>`)}
    </select>`}
    <input type="search" id="find" placeholder="Filter  /" aria-label="Only what has this text" value=${text} onInput=${({ target }) => set({ text: target.value })} />
  </div>`;
}

const Item = memo(({ item }) => {
  if (item.kind === "message") return html`<${Message} item=${item} message=${item.message} />`;
  if (item.kind === "tool") return html`<${ToolCall} item=${item} call=${item.call} />`;
  if (item.kind === "question") return html`<li class="item"><${Question} question=${item.question} /></li>`;
  return html`<li class="item custom"><div class="meta">${item.path && html`<${NodeName} path=${item.path} />`}<span class="what">custom</span></div><${Tree} value=${item.data} /></li>`;
});

function Message({ item, message }) {
  const { retracted, text, reasoning, calls, usage } = message;
  const tokens = usage.output_tokens;
  const time = message.end - message.start;
  return html`<li class=${`item message from-${message.role}${retracted ? " retracted" : ""}${message.open ? " open" : ""}`} data-message=${message.id} data-node=${message.path}>
    <div class="meta">
      <button type="button" class="plain" onClick=${() => choose(message.task)} title="Show the task"><${NodeName} path=${message.path} /></button>
      ${message.role !== "ai" && html`<span class="what">${message.role}</span>`}
      ${message.tags.map((tag) => html`<span class="tag">#${tag}</span>`)}
      ${retracted && html`<span class="taken-back">taken back: the attempt has failed</span>`}
      <span class="space"></span>
      ${message.call && html`<${Prompt} call=${message.call} run=${message.run} />`}
      ${text && html`<${Copy} text=${text} />`}
      <span class="numbers">${[tokens ? `${tokens} tokens` : message.chunks > 1 ? `${message.chunks} chunks` : "", time > 0 ? duration(time) : ""].filter(Boolean).join(" · ")}</span>
    </div>
    ${reasoning && html`<details class="reasoning" open=${message.open && !text}><summary>Reasoning</summary><${Long} text=${reasoning} class="pre" /></details>`}
    ${text && html`<${retracted ? "del" : "div"} class="text"><${Long} text=${text} most=${20_000} class="pre" /></${retracted ? "del" : "div"}>`}
    ${calls.map((call) => html`<div class="asked-call"><span class="arrow" aria-hidden="true">→</span> <code>${call.name}</code><code class="args">${cutArgs(call.args)}</code></div>`)}
    ${message.other.length > 0 && html`<${Tree} value=${message.other} />`}
    ${message.open && html`<span class="caret" aria-hidden="true"></span>`}
    ${!message.open && html`<span class="unseen" aria-live="polite">${message.path} has answered</span>`}
  </li>`;
}

const cutArgs = (args) => (args.length > 400 ? `${args.slice(0, 400)}…` : args);

function ToolCall({ item, call }) {
  const output = call.output?.content === undefined ? call.output : textOf(call.output.content);
  return html`<li class=${`item tool is-${call.status}`} data-tool=${call.name}>
    <div class="meta">
      <${Icon} name="play" /><code class="tool-name">${call.name}</code>
      ${item.path && html`<${NodeName} path=${item.path} />`}
      <span class="space"></span><span class="numbers">${call.end !== null && duration(call.end - call.start)}</span><${Status} of=${call.status} />
    </div>
    <div class="exchange">
      <div><span class="side">in</span><div><${Tree} value=${call.input} /></div></div>
      ${(output ?? call.partial) !== undefined && html`<div><span class="side">out</span><div>${typeof (output ?? call.partial) === "string" ? html`<${Long} text=${output ?? call.partial} class="pre" />` : html`<${Tree} value=${output} />`}</div></div>`}
    </div>
  </li>`;
}

