// Forms made from JSON schemas: which field a schema needs, what it holds at first, and the value that it stands for.

import { html, pretty } from "./ui.js";

/** The schema behind references, and of several that are possible the one that is not null. */
export function resolved(schema, root, depth = 0) {
  if (schema === undefined || schema === true || depth > 20) return {};
  if (schema.$ref) {
    const found = schema.$ref.split("/").slice(1).reduce((at, key) => at?.[key], root);
    return resolved({ ...found, ...omit(schema, "$ref") }, root, depth + 1);
  }
  if (schema.allOf?.length === 1) return resolved({ ...schema.allOf[0], ...omit(schema, "allOf") }, root, depth + 1);
  const several = schema.anyOf ?? schema.oneOf;
  const real = several?.filter((one) => one.type !== "null");
  if (real?.length === 1) return resolved({ ...omit(schema, "anyOf", "oneOf"), ...real[0] }, root, depth + 1);
  return schema;
}

const omit = (from, ...keys) => Object.fromEntries(Object.entries(from).filter(([key]) => !keys.includes(key)));

/** Which field a schema gets: text, number, boolean, choice, messages, object, or json for all others. */
export function kindOf(given, root) {
  const schema = resolved(given, root);
  if (schema.enum) return "choice";
  if (schema.type === "string") return "text";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "boolean") return "boolean";
  if (schema.type === "array" && /(Base|Human)Message"/.test(JSON.stringify(schema.items ?? {}))) return "messages";
  if (schema.type === "object" && schema.properties) return "object";
  return "json";
}

/** What a field holds at first. Texts stand for what is written as JSON, so that nothing is lost while it is typed. */
export function initial(given, root) {
  const schema = resolved(given, root);
  const kind = kindOf(given, root);
  const known = schema.default;
  if (kind === "object") return Object.fromEntries(Object.entries(schema.properties).map(([key, inner]) => [key, initial(inner, root)]));
  if (kind === "messages") return [{ role: "user", content: "" }];
  if (kind === "boolean") return known ?? null;
  if (kind === "choice") return pretty(known ?? schema.enum[0]);
  if (kind === "text") return known ?? "";
  return known === undefined || known === null ? "" : JSON.stringify(known, null, 2);
}

/** The contents of a form that stand for a value. */
export function filled(given, root, value) {
  const kind = kindOf(given, root);
  if (value === undefined || value === null) return initial(given, root);
  if (kind === "object" && typeof value === "object") {
    const { properties } = resolved(given, root);
    return Object.fromEntries(Object.entries(properties).map(([key, inner]) => [key, filled(inner, root, value[key])]));
  }
  if (kind === "messages" && Array.isArray(value)) {
    const role = (message) => message.role ?? { human: "user", ai: "assistant" }[message.type] ?? message.type;
    return value.map((message) => ({ role: role(message), content: typeof message.content === "string" ? message.content : pretty(message.content) }));
  }
  return kind === "text" || kind === "boolean" ? value : pretty(value);
}

/** The value of a form; `undefined` for a field that was left empty. Throws if what was typed is no value of its kind. */
export function parsed(held, given, root, name = "") {
  const schema = resolved(given, root);
  const kind = kindOf(given, root);
  if (kind === "object") {
    const entries = Object.entries(schema.properties).map(([key, inner]) => [key, parsed(held[key], inner, root, key)]);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }
  if (kind === "boolean") return held ?? undefined;
  if (kind === "messages") {
    const said = held.filter(({ content }) => content.trim() !== "");
    return said.length ? said : undefined;
  }
  if (held === "") return undefined;
  if (kind === "text") return held;
  if (kind === "choice") return schema.enum.find((one) => pretty(one) === held);
  if (kind === "number") {
    const value = Number(held);
    if (Number.isNaN(value)) throw new Error(`${name || "This"} is a number, not "${held}".`);
    return value;
  }
  try {
    return JSON.parse(held);
  } catch (error) {
    throw new Error(`${name || "This"} is JSON: ${error.message}`);
  }
}

/** The field of a schema. */
export function Field({ schema: given, root, value, onChange, name, onSend }) {
  const schema = resolved(given, root);
  const kind = kindOf(given, root);
  const title = name ?? schema.title ?? "";
  const set = ({ target }) => onChange(target.value);
  const onKey = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && onSend?.(event);
  if (kind === "object") {
    return html`<fieldset class="fields"><legend class="unseen">${title}</legend>
      ${Object.entries(schema.properties).map(([key, inner]) => html`<${Field} key=${key} schema=${inner} root=${root} name=${key} value=${value[key]}
        onChange=${(next) => onChange({ ...value, [key]: next })} onSend=${onSend} />`)}
    </fieldset>`;
  }
  if (kind === "messages") return html`<${Messages} title=${title} value=${value} onChange=${onChange} onKey=${onKey} />`;
  if (kind === "boolean") return html`<label class="field check"><input type="checkbox" checked=${value} onChange=${({ target }) => onChange(target.checked)} /><span>${title}</span></label>`;
  const hint = schema.description && html`<small>${schema.description}</small>`;
  let control = html`<textarea rows=${kind === "text" ? 1 : 2} class=${kind === "text" ? "grows" : "grows code"} placeholder=${kind === "json" ? "JSON" : (schema.examples?.[0] ?? "")} value=${value} onInput=${set} onKeyDown=${onKey}></textarea>`;
  if (kind === "number") control = html`<input type="text" inputmode="decimal" value=${value} onInput=${set} onKeyDown=${onKey} />`;
  if (kind === "choice") control = html`<select value=${value} onChange=${set}>${schema.enum.map((one) => html`<option value=${pretty(one)}>${pretty(one)}</option>`)}</select>`;
  return html`<label class="field"><span>${title}</span>${control}${hint}</label>`;
}

const ROLES = ["user", "assistant", "system"];

function Messages({ title, value, onChange, onKey }) {
  const set = (place, change) => onChange(value.map((message, at) => (at === place ? { ...message, ...change } : message)));
  return html`<div class="field messages" role="group" aria-label=${title}>
    <span>${title}</span>
    ${value.map((message, place) => html`<div class="one" key=${place}>
      <select aria-label="Who says it" value=${message.role} onChange=${({ target }) => set(place, { role: target.value })}>
        ${[...new Set([...ROLES, message.role])].map((role) => html`<option value=${role}>${role}</option>`)}
      </select>
      <textarea rows="1" class="grows" aria-label="What is said" placeholder="Say something…" value=${message.content} onInput=${({ target }) => set(place, { content: target.value })} onKeyDown=${onKey}></textarea>
      ${value.length > 1 && html`<button type="button" class="quiet icon-only" aria-label="Leave this message out" onClick=${() => onChange(value.filter((_, at) => at !== place))}>×</button>`}
    </div>`)}
    <button type="button" class="quiet small" onClick=${() => onChange([...value, { role: "user", content: "" }])}>+ message</button>
  </div>`;
}
