// What all views share: htm bound to Preact, times and texts in words, colours of nodes, icons, and small elements.
// Whatever a model or a graph has written is only ever a text node.

import htm from "htm";
import { h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export const html = htm.bind(h);

export const WORDS = {
  idle: "not run", running: "running", done: "done", failed: "failed", asking: "waits for an answer", cancelled: "cancelled",
};
const SIGNS = { idle: "○", running: "●", done: "✓", failed: "✕", asking: "?", cancelled: "■" };

/** A duration in milliseconds as people say it. */
export function duration(ms) {
  if (!(ms >= 0)) return "";
  if (ms < 1) return "<1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function clock(iso) {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export const short = (id) => String(id ?? "").slice(0, 8);

const coloured = new Map();

/** Give the nodes of a graph their colours, so that neighbours differ. */
export function colour(paths) {
  coloured.clear();
  for (const path of paths) coloured.set(path, coloured.size % 8);
}

/** The number of the colour of a node, from 0 to 7: the same wherever the node appears. */
export function hue(path) {
  if (coloured.has(path)) return coloured.get(path);
  let sum = 7;
  for (const letter of path) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum % 8;
}

export function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "";
}

/** The text of a message's content: a text, or blocks of which some are texts. */
export function textOf(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return content == null ? "" : pretty(content);
  return content.map((block) => (typeof block === "string" ? block : block?.text ?? pretty(block))).join("");
}

export const isMessage = (value) =>
  value !== null && typeof value === "object" && "content" in value && typeof value.type === "string";

/** The state of something, as a sign with its word. */
export const Status = ({ of, quiet }) => html`<span class=${`status is-${of}`} title=${WORDS[of]}>
  <span class="sign" aria-hidden="true">${SIGNS[of]}</span><span class=${quiet ? "unseen" : ""}>${WORDS[of]}</span>
</span>`;

/** The path of a node in its colour. */
export const NodeName = ({ path }) => {
  const parts = path.split(":");
  const name = parts.pop();
  return html`<span class=${`node-name hue-${hue(path)}`}>${parts.map((part) => html`<i>${part}</i>`)}${name}</span>`;
};

/** A button that copies a text, and says that it has. */
export function Copy({ text, label = "Copy" }) {
  const [done, say] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
    say(true);
    setTimeout(() => say(false), 1200);
  };
  return html`<button type="button" class="quiet small" onClick=${copy}>${done ? "Copied" : label}</button>`;
}

/** Long text that is cut until it is asked for. */
export function Long({ text, most = 4000, class: name }) {
  const [all, show] = useState(false);
  if (text.length <= most || all) return html`<span class=${name}>${text}</span>`;
  return html`<span class=${name}>${text.slice(0, most)}… </span>
    <button type="button" class="quiet small" onClick=${() => show(true)}>Show all ${text.length.toLocaleString()} characters</button>`;
}

/** The size of an element, measured anew whenever it changes. */
export function useSize() {
  const ref = useRef(null);
  const [size, set] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const watching = new ResizeObserver(([entry]) => {
      const { width, height } = entry.contentRect;
      set((before) => (before.width === width && before.height === height ? before : { width, height }));
    });
    watching.observe(ref.current);
    return () => watching.disconnect();
  }, []);
  return [ref, size];
}

/** Draw again a few times a second while something goes on, so that its time is seen to grow. */
export function useTicking(going) {
  const [, set] = useState(0);
  useEffect(() => {
    if (!going) return undefined;
    const timer = setInterval(() => set((count) => count + 1), 100);
    return () => clearInterval(timer);
  }, [going]);
}

/** Give a file to the person; its content is a text or a Blob. */
export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const PATHS = {
  sun: "M12 4V2m0 20v-2m8-8h2M2 12h2m13.7-5.7 1.4-1.4M4.9 19.1l1.4-1.4m11.4 0 1.4 1.4M4.9 4.9l1.4 1.4M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z",
  save: "M12 4v11m0 0 4-4m-4 4-4-4M5 19h14",
  open: "M12 20V9m0 0 4 4m-4-4-4 4M5 5h14",
  plus: "M12 5v14M5 12h14",
  stop: "M7 7h10v10H7z",
  play: "M8 5.5v13l10-6.5z",
  fork: "M7 4v16M7 12c6 0 10-1 10-8",
};

export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;

/** Whether a list that grows is to show its end: until a person scrolls up. What grows between two frames moves nothing. */
export function keepsUp(list, did, before, near) {
  const up = list.scrollTop < before.current;
  before.current = list.scrollTop;
  return list.scrollHeight - list.scrollTop - list.clientHeight < near || (did && !up);
}
