// When each task ran: one row for each, with the time to its first token, and the moment that is looked at.

import { useEffect, useRef, useState } from "preact/hooks";

import { choose, look, model, moment, present, selected, trace } from "./store.js";
import { label } from "./graphs.js";
import { duration, html, hue, keepsUp, useSize, useTicking, WORDS } from "./ui.js";

const ROW = 26;
const LABELS = { wide: 168, narrow: 104 };

export function Waterfall() {
  const shown = model();
  const [box, size] = useSize();
  const [top, scroll] = useState(0);
  const follows = useRef(true);
  const before = useRef(0);
  const scroller = useRef(null);
  const going = shown.run.status === "running" && trace.value.live && moment.value === null;
  useTicking(going);
  const tasks = [...shown.tasks.values()];
  const now = going ? present(shown) : shown.now;
  const labels = matchMedia("(max-width: 720px)").matches ? LABELS.narrow : LABELS.wide;
  const scale = scaleOf(shown, now, Math.max(60, size.width - labels - 118));
  useEffect(() => {
    if (follows.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [tasks.length]);
  const first = Math.max(0, Math.floor(top / ROW) - 5);
  const last = Math.min(tasks.length, first + Math.ceil((size.height || 200) / ROW) + 10);
  return html`<section class="panel waterfall" aria-label="Timeline">
    <header><h2>Timeline</h2>
      ${shown.run.start !== null && html`<span class="numbers">${tasks.length} tasks · ${duration(scale.total)}</span>`}
      <${Scrubber} />
    </header>
    <div class="body" ref=${box}>
      ${tasks.length > 0 && html`<div class="ticks" aria-hidden="true">${ticks(scale).map(({ x, text }) => html`<span key=${text} style=${{ left: `${labels + x}px` }}>${text}</span>`)}</div>`}
      <div class="scroll" ref=${scroller} tabindex="0" role="region" aria-label="Tasks by time"
        onScroll=${({ currentTarget: at }) => (scroll(at.scrollTop), (follows.current = keepsUp(at, follows.current, before, 30)))}>
        <div class="rows" style=${{ height: `${tasks.length * ROW}px` }} role="list">
          ${tasks.slice(first, last).map((task, place) => html`<${Row} key=${task.id} task=${task} y=${(first + place) * ROW} scale=${scale} now=${now} size=${tasks.length} place=${first + place} />`)}
        </div>
      </div>
      ${!tasks.length && html`<p class="empty">Tasks appear here with the time that each takes.</p>`}
    </div>
  </section>`;
}

/** Times as places, without the times in which a person was waited for. */
function scaleOf({ run, pauses }, now, width) {
  const start = run.start ?? 0;
  const without = (time) => time - start - pauses.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(time, to) - from), 0);
  const total = Math.max(1, without(run.end ?? now));
  return { total, width, x: (time) => (without(time) / total) * width, waits: pauses.map(({ from, to }) => ({ at: (without(from) / total) * width, took: to - from })) };
}

function ticks({ total, width }) {
  const rough = total / Math.max(2, width / 110);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough);
  const found = [];
  for (let time = 0; time <= total; time += step) found.push({ x: (time / total) * width, text: time === 0 ? "0" : step < 1000 && total < 1000 ? `${Math.round(time)} ms` : `${Math.round(time / 10) / 100} s` });
  return found;
}

function Row({ task, y, scale, now, size, place }) {
  const spent = task.spans.reduce((sum, { start, end }) => sum + (end ?? now) - start, 0);
  const chosen = selected.value === task.id;
  const wait = task.first === null ? null : task.first - task.spans[0].start;
  const words = [WORDS[task.status], wait !== null && `first token after ${duration(wait)}`].filter(Boolean).join(", ");
  return html`<div role="listitem" class="holder" style=${{ top: `${y}px` }} aria-setsize=${size} aria-posinset=${place + 1}>
    <button type="button" class=${`bar-row is-${task.status} hue-${hue(task.path)}${chosen ? " chosen" : ""}`} data-task=${task.path}
      aria-pressed=${chosen} onClick=${() => choose(chosen ? null : task.id)}>
      <span class="label" style=${{ paddingLeft: `${10 + task.depth * 14}px` }}><i><span class="unseen">Step </span>${task.step}</i> ${label(task.name)}<span class="unseen">, ${words}, </span></span>
      <span class="track" style=${{ width: `${scale.width}px` }}>
        ${scale.waits.map(({ at, took }) => html`<span class="waited" style=${{ left: `${at}px` }} title=${`A person was waited for: ${duration(took)}`}></span>`)}
        ${task.spans.map(({ start, end }) => {
          const x = scale.x(start);
          const width = Math.max(3, scale.x(end ?? now) - x);
          const first = task.first !== null && task.first >= start && task.first <= (end ?? now) ? Math.max(0, scale.x(task.first) - x) : null;
          return html`<span class="bar" style=${{ left: `${x}px`, width: `${width}px` }}>
            ${first !== null && html`<span class="before" style=${{ width: `${first}px` }}></span><span class="first" style=${{ left: `${first}px` }} title=${`First token after ${duration(wait)}`}></span>`}
          </span>`;
        })}
        <span class="spent" style=${{ left: `${Math.min(scale.width, scale.x(task.spans[task.spans.length - 1].end ?? now)) + 8}px` }}>${duration(spent)}${task.attempts > 1 ? ` · ↻ ${task.attempts - 1}` : ""}</span>
      </span>
    </button>
  </div>`;
}

/** Goes back and forth in the records of the run: everything on the page is as it was then. */
function Scrubber() {
  const total = trace.value.records.length;
  if (total < 2) return null;
  const at = moment.value ?? total;
  const states = [0, ...trace.value.model.states.map((state) => state.count)];
  const before = states.filter((count) => count < at).pop();
  const after = states.find((count) => count > at);
  return html`<div class="scrubber" role="group" aria-label="Moment">
    <button type="button" class="quiet icon-only" aria-label="The step before" disabled=${before === undefined} onClick=${() => look(Math.max(1, before))}>‹</button>
    <input type="range" min="1" max=${total} value=${at} aria-label="Event" aria-valuetext=${`event ${at} of ${total}`} onInput=${({ target }) => look(Number(target.value))} />
    <button type="button" class="quiet icon-only" aria-label="The next step" disabled=${moment.value === null} onClick=${() => look(after ?? null)}>›</button>
    <span class="numbers">${at}/${total}</span>
    ${moment.value !== null && html`<button type="button" class="small" onClick=${() => look(null)}>${trace.value.live ? "Live" : "End"}</button>`}
  </div>`;
}
