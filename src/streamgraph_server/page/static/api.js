// Requests to the server that has sent this page: the public paths of the LangGraph Server API, and event streams that
// go on where a lost connection has ended them. No DOM, no state of the page.

const PAUSES = [300, 1000, 2000, 4000, 5000];
export const MODES = ["tasks", "values", "messages-tuple", "custom", "tools", "retries"];

/** A request that the server has refused; its message is what the server says. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const path = (text, ...ids) => text.replace(/\{\}/g, () => encodeURIComponent(ids.shift()));

async function refusal(response) {
  const text = await response.text();
  let detail = text;
  try {
    detail = JSON.parse(text).detail ?? text;
  } catch {
    // not JSON: a proxy has answered, and its own words are the best there is
  }
  const said = typeof detail === "string" ? detail : JSON.stringify(detail);
  return new Refused(response.status, said || `The server has answered ${response.status}.`);
}

export async function ask(where, { method = "GET", body, headers, signal } = {}) {
  const response = await fetch(where, {
    method: body === undefined ? method : method === "GET" ? "POST" : method,
    headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw await refusal(response);
  return response;
}

const json = async (...request) => (await ask(...request)).json();

export const assistants = () => json("assistants/search", { body: { limit: 1000 } });
export const structure = (name) => json(path("assistants/{}/graph?xray=true", name));
export const schemas = (name) => json(path("assistants/{}/schemas", name));
export const threads = (graph) => json("threads/search", { body: { limit: 50, metadata: { graph_id: graph } } });
export const newThread = () => json("threads", { body: {} });
export const removeThread = (thread) => ask(path("threads/{}", thread), { method: "DELETE" });
export const runs = (thread) => json(path("threads/{}/runs?limit=50", thread));
export const run = (thread, id) => json(path("threads/{}/runs/{}", thread, id));
export const state = (thread) => json(path("threads/{}/state?subgraphs=true", thread));
export const history = (thread) => json(path("threads/{}/history", thread), { body: { limit: 200 } });
export const update = (thread, body) => json(path("threads/{}/state", thread), { body });
export const cancel = (thread, id) => ask(path("threads/{}/runs/{}/cancel?wait=false", thread, id), { method: "POST" });
export const prompt = (thread, id, call) => json(path("threads/{}/runs/{}/prompts/{}", thread, id, call));
export const answerLive = (thread, id, question, value) =>
  ask(path("threads/{}/runs/{}/answers", thread, id), { body: { id: question, value } });

/**
 * Yield the records of a stream of server-sent events: `{id, event, data, at}`, where `at` is the time in milliseconds
 * at which it has happened on the server, if the server says so.
 */
export async function* records(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let fields = {};
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line === "") {
          if (fields.data !== undefined) {
            const at = fields.at === undefined ? undefined : Number(fields.at) * 1000;
            yield { id: fields.id, event: fields.event ?? "message", data: JSON.parse(fields.data), at };
          }
          fields = {};
          continue;
        }
        const colon = line.indexOf(":");
        if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // a connection that is lost already cannot be given up
  }
}

/** Start a run, and return its stream's response; it belongs to the thread and goes on without this page. */
export function startRun(thread, body, signal) {
  return ask(path("threads/{}/runs/stream?times=true&prompts=true", thread), {
    body: { stream_mode: MODES, stream_subgraphs: true, on_disconnect: "continue", if_not_exists: "create", ...body },
    signal,
  });
}

function joinRun(thread, id, after, signal) {
  const modes = MODES.map((mode) => `stream_mode=${mode}`).join("&");
  const where = path("threads/{}/runs/{}/stream?times=true&stream_subgraphs=true&", thread, id) + modes;
  return ask(where, { headers: { "last-event-id": after }, signal });
}

const isLast = (record) => record.event === "end" || (record.event === "error" && record.data?.error !== "ResumeGap");

/**
 * Yield the records of a run until its last one, each once, through as many connections as that takes.
 *
 * `response` is the stream that has started it, or null to read a run that others have started. `lost(true)` is called
 * when the connection is lost, `lost(false)` when it is there again.
 */
export async function* follow(thread, id, response, signal, lost) {
  let after = "-1";
  let tries = 0;
  for (;;) {
    try {
      const stream = response ?? (await joinRun(thread, id, after, signal));
      response = null;
      lost(false);
      for await (const record of records(stream.body)) {
        tries = 0;
        if (record.id !== undefined) after = record.id;
        if (record.event === "metadata") id = record.data.run_id;
        yield record;
        if (isLast(record)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused || tries >= 12) throw error;
    }
    lost(true);
    await new Promise((resume) => setTimeout(resume, PAUSES[Math.min(tries++, PAUSES.length - 1)]));
    if (signal.aborted) return;
  }
}
