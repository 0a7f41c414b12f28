// What a run is given: a form made from the graph's input schema, or raw JSON; and the run started from it.

import { useEffect, useState } from "preact/hooks";

import { Field, filled, initial, kindOf, parsed } from "./fields.js";
import { attempt, graphName, inputShown, model, moment, schemas, start, trace } from "./store.js";
import { html, Icon, pretty } from "./ui.js";

export function Composer() {
  const schema = schemas.value.input_schema ?? { type: "object" };
  const context = schemas.value.context_schema;
  const [held, hold] = useState({});
  const [raw, setRaw] = useState("{}");
  const [asJson, json] = useState(false);
  const [about, setAbout] = useState({});
  const [wrong, say] = useState("");
  const [waits, wait] = useState(false);
  const folded = !inputShown.value;
  const fold = (is) => (inputShown.value = !is);
  const isForm = kindOf(schema, schema) === "object" || kindOf(schema, schema) === "text";
  useEffect(() => {
    hold(initial(schema, schema));
    setRaw("{}");
    json(!isForm);
    if (context) setAbout(initial(context, context));
  }, [schemas.value]);
  const shown = model();
  const running = shown.run.status === "running" && trace.value.live;
  const value = () => (asJson ? JSON.parse(raw) : parsed(held, schema, schema));
  const change = () => {
    say("");
    try {
      if (asJson) hold(filled(schema, schema, JSON.parse(raw)));
      else setRaw(pretty(value()));
      json(!asJson);
    } catch (error) {
      say(error.message);
    }
  };
  const send = (event) => {
    event?.preventDefault();
    let input;
    try {
      input = value();
    } catch (error) {
      say(error.message);
      return;
    }
    say("");
    const given = context ? parsed(about, context, context) : undefined;
    lastInput.set(graphName.value, input);
    attempt(() => start({ input, ...(given && Object.keys(given).length ? { context: given } : {}), ...(waits ? { interrupts: "live" } : {}) }));
  };
  const again = () => {
    const found = trace.value.model.states[0]?.values ?? lastInput.get(graphName.value);
    if (found === undefined) return;
    hold(filled(schema, schema, lastInput.get(graphName.value) ?? found));
    setRaw(pretty(lastInput.get(graphName.value) ?? found));
    fold(false);
  };
  if (trace.value.file) return null;
  return html`<form class=${`composer${folded ? " folded" : ""}`} onSubmit=${send} aria-label="Input">
    ${!folded && html`<div class="inputs">
      ${asJson || !isForm
        ? html`<label class="field"><span>input</span><textarea class="code grows" rows="4" spellcheck="false" value=${raw} onInput=${({ target }) => setRaw(target.value)} onKeyDown=${(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send(event)}></textarea></label>`
        : html`<${Field} schema=${schema} root=${schema} value=${held} onChange=${hold} onSend=${send} />`}
      ${context?.properties && html`<details class="context"><summary>Context</summary><${Field} schema=${context} root=${context} value=${about} onChange=${setAbout} onSend=${send} /></details>`}
    </div>`}
    ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
    <div class="row">
      <button type="submit" class="primary" disabled=${running || moment.value !== null} title="Ctrl+Enter"><${Icon} name="play" />${shown.run.start === null ? "Run" : "Run on this thread"}</button>
      <button type="button" class="quiet small" onClick=${change}>${asJson ? "Form" : "JSON"}</button>
      ${(shown.run.start !== null || lastInput.has(graphName.value)) && html`<button type="button" class="quiet small" onClick=${again}>Last input</button>`}
      <span class="space"></span>
      ${!folded && html`<label class="field check" title="A run that asks stays where it is until it is answered, and nothing runs again. Otherwise it ends with its question, and is answered whenever you want."><input type="checkbox" checked=${waits} onChange=${({ target }) => wait(target.checked)} /><span>Wait when asked</span></label>`}
      <button type="button" class="quiet small" aria-expanded=${!folded} onClick=${() => fold(!folded)}>${folded ? "Show input" : "Hide input"}</button>
    </div>
  </form>`;
}

const lastInput = new Map();
