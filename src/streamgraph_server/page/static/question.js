// A question that a task has asked, and the answer that a person gives in its place.

import { useState } from "preact/hooks";

import { Field, initial, parsed } from "./fields.js";
import { answer, attempt, moment, trace } from "./store.js";
import { html, NodeName, pretty } from "./ui.js";
import { Tree } from "./tree.js";

export function Question({ question }) {
  const { schema } = question;
  const [value, set] = useState(() => (schema ? initial(schema, schema) : ""));
  const [asJson, json] = useState(false);
  const [wrong, say] = useState("");
  const { text, choices, rest } = said(question.value);
  const can = question.open && moment.value === null && trace.value.thread !== null;
  const send = (event) => {
    event.preventDefault();
    let given;
    try {
      given = schema && !asJson ? parsed(value, schema, schema) : asJson ? JSON.parse(value) : value;
    } catch (error) {
      say(error.message);
      return;
    }
    attempt(() => answer({ [question.id]: given }));
  };
  const change = () => {
    say("");
    set(asJson ? (schema ? initial(schema, schema) : "") : schema ? pretty(initial(schema, schema)) : JSON.stringify(value));
    json(!asJson);
  };
  return html`<form class=${`question${question.open ? " open" : ""}`} onSubmit=${send} data-question=${question.id}>
    <div class="meta"><span class="mark" aria-hidden="true">?</span><strong>${question.open ? "Waiting for your answer" : "Question"}</strong>
      ${question.path && html`<${NodeName} path=${question.path} />`}</div>
    <div class="asked">${text !== "" && html`<p class="pre">${text}</p>`}${rest !== undefined && html`<${Tree} value=${rest} />`}</div>
    ${can &&
    html`<div class="reply">
      ${choices.length > 0 && !schema && !asJson && html`<div class="chips" role="group" aria-label="What may be said">${choices.map((choice) => html`<button type="button" onClick=${() => set(choice)}>${choice}</button>`)}</div>`}
      ${schema && !asJson
        ? html`<${Field} schema=${schema} root=${schema} value=${value} onChange=${set} name="Answer" />`
        : html`<textarea rows=${asJson ? 4 : 2} class=${asJson ? "code" : ""} aria-label="Answer" placeholder=${asJson ? "JSON" : "Your answer"} value=${value}
            onInput=${({ target }) => set(target.value)} onKeyDown=${(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send(event)}></textarea>`}
      ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
      <div class="row"><button type="submit" class="primary">Answer</button>
        <button type="button" class="quiet small" onClick=${change}>${asJson ? (schema ? "As a form" : "As text") : "As JSON"}</button></div>
    </div>`}
    ${question.answer !== undefined && html`<div class="answered"><span class="side">answer</span>${typeof question.answer === "string" ? html`<p class="pre">${question.answer}</p>` : html`<${Tree} value=${question.answer} />`}</div>`}
    ${!question.open && question.answer === undefined && html`<p class="muted">answered</p>`}
  </form>`;
}

const ASKED = ["question", "message", "text"];
const CHOICES = ["answers", "choices", "options"];

/** What is asked in words, what may be answered, and what else is told: many questions are objects of these. */
function said(value) {
  if (typeof value === "string") return { text: value, choices: [] };
  if (value === null || typeof value !== "object" || Array.isArray(value)) return { text: "", choices: [], rest: value };
  const asked = ASKED.find((key) => typeof value[key] === "string");
  const given = CHOICES.find((key) => Array.isArray(value[key]) && value[key].every((one) => typeof one === "string"));
  const rest = Object.fromEntries(Object.entries(value).filter(([key]) => key !== asked && key !== given));
  return { text: asked ? value[asked] : "", choices: given ? value[given] : [], rest: Object.keys(rest).length ? rest : undefined };
}
