// Reads graphs through the thread stream: with the SDK's ThreadStream, and with useStream of @langchain/react in jsdom.
import { Client } from "@langchain/langgraph-sdk";
import { JSDOM } from "jsdom";

const [url, ...graphs] = process.argv.slice(2);
const dom = new JSDOM("<!doctype html>", { url: "http://localhost/" });
for (const name of ["document", "localStorage", "sessionStorage", "HTMLElement", "Node", "Event"]) {
  Object.defineProperty(globalThis, name, { value: dom.window[name], configurable: true });
}
Object.defineProperty(globalThis, "window", { value: dom.window, configurable: true });
const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { useStream } = await import("@langchain/react");

const client = new Client({ apiUrl: url });
const input = { messages: [{ type: "human", content: "hi" }] };

async function until(condition, what) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`It never came: ${what()}`);
}

async function collect(iterable, take) {
  const taken = [];
  for await (const item of iterable) taken.push(take(item));
  return await Promise.all(taken);
}

async function sdk(graph) {
  const thread = client.threads.stream({ assistantId: graph });
  const found = { events: [] };
  thread.onEvent((event) => event.method === "lifecycle" && found.events.push(event.params.data.event));
  const texts = collect(thread.messages, async (message) => [await message.text, await message.reasoning]);
  const calls = collect(thread.toolCalls, (call) => call.name);
  const inner = collect(thread.subgraphs, (subgraph) => subgraph.name);
  await thread.run.start({ input });
  [found.texts, found.calls, found.inner] = await Promise.all([texts, calls, inner]);
  found.calls = [...new Set(found.calls)];
  const values = await thread.output;
  found.messages = values.messages.map((message) => message.text);
  found.asked = thread.interrupts.map((asked) => asked.payload);
  await thread.close();
  return found;
}

function screen(graph, threadId) {
  const shown = { lengths: new Set() };
  function App() {
    const stream = (shown.stream = useStream({ apiUrl: url, assistantId: graph, threadId }));
    shown.messages = stream.messages.map((message) => `${message.getType()}: ${message.text}`);
    shown.lengths.add(shown.messages.at(-1)?.length);
    shown.calls = stream.toolCalls.map((call) => `${call.name}: ${call.status}`);
    shown.error = stream.error?.message ?? null;
    shown.asked = stream.interrupts.map((asked) => asked.value);
    return null;
  }
  const holder = document.createElement("div");
  const root = createRoot(holder);
  root.render(createElement(App));
  shown.close = () => root.unmount();
  shown.idle = async () => {
    await until(() => !shown.stream.isLoading, () => `the end: ${JSON.stringify(shown.messages)}`);
    await shown.complete(shown.stream.threadId);
  };
  // What comes with the end is rendered after it.
  shown.complete = async (id) => {
    const { values } = await client.threads.getState(id);
    await until(() => shown.messages?.length >= values.messages.length, () => `all messages: ${shown.messages}`);
  };
  return shown;
}

function said({ messages, calls, error, asked }) {
  return { messages, calls, error, asked };
}

async function react(graph) {
  const shown = screen(graph);
  await until(() => shown.stream, () => "a page");
  await shown.stream.submit(input);
  await shown.idle();
  const found = { first: said(shown), grown: shown.lengths.size };
  if (shown.asked.length) {
    await shown.stream.respond("yes");
    await until(() => shown.messages.length > found.first.messages.length, () => "what follows");
    await shown.idle();
    found.answered = said(shown);
  }
  await shown.stream.submit(input);
  await shown.idle();
  found.second = said(shown);
  const again = screen(graph, shown.stream.threadId);
  await again.complete(shown.stream.threadId);
  found.again = said(again);
  again.close();
  shown.close();
  return found;
}

async function stopped(graph) {
  const shown = screen(graph);
  await until(() => shown.stream, () => "a page");
  shown.stream.submit(input);
  await until(() => shown.messages.at(-1)?.includes("2 "), () => `some text: ${shown.messages}`);
  await shown.stream.stop();
  await shown.idle();
  shown.close();
  return { error: shown.error };
}

const found = {};
for (const graph of graphs) {
  if (graph === "endless") found[graph] = await stopped(graph);
  else found[graph] = { sdk: await sdk(graph), react: await react(graph === "retrying" ? "retrying_again" : graph) };
}
console.log(JSON.stringify(found));
process.exit(0);
