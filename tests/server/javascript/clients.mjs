// Talks to a server with each vendor's client, and prints what each has on its screen in the end.
import { HttpAgent } from "@ag-ui/client";
import { Client } from "@langchain/langgraph-sdk";
import * as ai6 from "ai6";
import * as ai7 from "ai7";

// Arguments: the URL, the graphs with a comma between them, and maybe the only client to use.
const [url, graphs, only] = process.argv.slice(2);
const found = {};

async function chat(ai, version, graph) {
  const transport = new ai.DefaultChatTransport({ api: `${url}/chat/${graph}?ai_sdk=${version}` });
  const messages = [{ id: "u1", role: "user", parts: [{ type: "text", text: "hi" }] }];
  let last, error;
  const stream = await transport.sendMessages({ chatId: `ai${version}-${graph}`, messages, trigger: "submit-message" });
  for await (const message of ai.readUIMessageStream({ stream, onError: (e) => (error = e.message) })) last = message;
  const parts = last.parts.filter((part) => part.type !== "step-start");
  return [...parts.map((part) => `${part.type}: ${part.text ?? part.state ?? part.data.value ?? "-"}`), ...(error ? [`error: ${error}`] : [])];
}

async function agent(graph) {
  const http = new HttpAgent({ url: `${url}/agui/${graph}`, threadId: `agui-${graph}` });
  http.addMessage({ id: "u1", role: "user", content: "hi" });
  await http.runAgent({});
  return http.messages.map((message) => `${message.role}: ${message.content ?? ""}`);
}

async function sdk(graph) {
  const client = new Client({ apiUrl: url });
  const thread = await client.threads.create();
  const input = { messages: [{ role: "user", content: "hi" }] };
  let text = "", error;
  for await (const part of client.runs.stream(thread.thread_id, graph, { input, streamMode: ["messages-tuple"], streamSubgraphs: true })) {
    const kind = part.event.split("|")[0];
    if (kind === "messages" && part.data[0].type === "AIMessageChunk") text += part.data[0].content;
    if (kind === "error") error = part.data.message;
  }
  const state = await client.threads.getState(thread.thread_id);
  return [text, error ?? "", state.values.messages.length, state.next];
}

const clients = { ai6: (graph) => chat(ai6, 6, graph), ai7: (graph) => chat(ai7, 7, graph), agui: agent, sdk };
for (const graph of graphs.split(",")) {
  found[graph] = {};
  for (const name of only ? [only] : Object.keys(clients)) found[graph][name] = await clients[name](graph);
}
console.log(JSON.stringify(found));
process.exit(0);
