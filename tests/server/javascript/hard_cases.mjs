// Talks to the hard cases with the clients of AG-UI and the AI SDK, and prints what a person has on the screen in the end.
import { writeFileSync } from "node:fs";
import { HttpAgent } from "@ag-ui/client";
import * as ai6 from "ai6";
import * as ai7 from "ai7";

const [url] = process.argv.slice(2);
const found = {};

// What AG-UI's client has: its verifier refuses a stream that breaks a rule.

function agent(graph) {
  const http = new HttpAgent({ url: `${url}/agui/${graph}`, threadId: `agui-${graph}` });
  http.addMessage({ id: "u1", role: "user", content: "hi" });
  return http;
}

async function run(http, options = {}) {
  const asked = [], begun = [], open = new Set();
  await http.runAgent(options, {
    onRunFinishedEvent: ({ event }) => void asked.push(...(event.outcome?.interrupts ?? [])),
    onSubagentStartedEvent: ({ event }) => void (begun.push(event.name), open.add(event.subagentRunId)),
    onSubagentFinishedEvent: ({ event }) => void open.delete(event.subagentRunId),
  });
  return { asked, begun, open: open.size };
}

function screen(http) {
  return http.messages.map((m) => `${m.role}${m.subagentRunId ? " (" + m.subagentRunId.split(":")[0] + ")" : ""}: ${m.content ?? ""}`);
}

async function agui(graph) {
  const http = agent(graph);
  const { begun, open } = await run(http);
  return { screen: screen(http), begun: begun.sort(), open };
}

async function states() {
  const http = agent("counting");
  await run(http);
  const first = http.state;
  await run(http);
  http.state = { ...http.state, pages: ["mine"] };
  const second = http.state;
  await run(http);
  return [first, second.count, http.state, screen(http)];
}

async function answers() {
  const http = agent("reviewed");
  const { asked } = await run(http);
  const call = (id) => asked.find((one) => one.toolCallId === id).id;
  const resume = [
    { interruptId: call("call-1"), status: "resolved", payload: { approved: true } },
    { interruptId: call("call-2"), status: "cancelled" },
  ];
  await run(http, { resume });
  return { asked: asked.map((one) => `${one.reason} ${one.toolCallId}`), screen: screen(http) };
}

async function again() {
  const http = agent("speaking");
  await run(http);
  http.addMessage({ id: "u2", role: "user", content: "more" });
  await run(http);
  http.setMessages(http.messages.slice(0, 3).map((m) => (m.id === "u2" ? { ...m, content: "other" } : m)));
  await run(http);
  return screen(http);
}

// What `useChat` has: a chat with its state in plain objects.

class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => void this.messages.push(message);
  popMessage = () => void this.messages.pop();
  replaceMessage = (index, message) => void (this.messages[index] = structuredClone(message));
  snapshot = (thing) => structuredClone(thing);
}

function chatOf(ai, version, graph, id = graph) {
  const errors = [];
  class Chat extends ai.AbstractChat {}
  const chat = new Chat({
    id: `chat${version}-${id}`,
    state: new State(),
    transport: new ai.DefaultChatTransport({ api: `${url}/chat/${graph}?ai_sdk=${version}` }),
    sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithApprovalResponses,
    onError: (error) => errors.push(error.message),
    onToolCall: () => errors.push("the client was asked to run a tool"),
  });
  return { chat, errors };
}

function parts(chat) {
  return chat.messages.map((message) => message.role === "user" ? "user" : message.parts.filter((part) => part.type !== "step-start").map((part) => {
    const more = part.text ?? part.state ?? part.url ?? (part.type === "data-interrupt" ? "" : JSON.stringify(part.data));
    return `${part.type}: ${more}${part.output ? " " + JSON.stringify(part.output) : ""}${part.errorText ? " " + part.errorText : ""}`;
  }));
}

async function settled(chat) {
  for (let quiet = 0; quiet < 4; quiet++) {
    if (chat.status !== "ready" && chat.status !== "error") quiet = 0;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function chat(ai, version, graph) {
  const { chat, errors } = chatOf(ai, version, graph);
  await chat.sendMessage({ text: "hi" });
  return [...parts(chat), ...errors];
}

async function approvals(ai, version, graph, verdicts) {
  const { chat, errors } = chatOf(ai, version, graph, graph + verdicts.join());
  await chat.sendMessage({ text: "hi" });
  const asked = () => chat.messages.at(-1).parts.filter((part) => part.state === "approval-requested");
  const before = asked().map((part) => part.toolCallId);
  for (const approved of verdicts) await chat.addToolApprovalResponse({ id: asked()[0].approval.id, approved, ...(approved ? {} : { reason: "too much" }) });
  await settled(chat);
  return { before, after: parts(chat), errors, usage: chat.messages.at(-1).metadata?.graph };
}

async function edited(ai, version) {
  const { chat, errors } = chatOf(ai, version, "speaking", "edited");
  await chat.sendMessage({ text: "hi" });
  await chat.sendMessage({ text: "more" });
  await chat.regenerate();
  await chat.sendMessage({ text: "other", messageId: chat.messages[2].id });
  return [parts(chat).length, ...errors];
}

// A page that is reloaded while an answer comes: the connection is cut, and another chat reads the run again.
async function reloaded(ai, version) {
  class Chat extends ai.AbstractChat {}
  const open = (messages) => {
    const state = new State();
    state.messages = messages;
    const transport = new ai.DefaultChatTransport({ api: `${url}/chat/slow`, prepareReconnectToStreamRequest: ({ id }) => ({ api: `${url}/chat/slow/${id}/stream?ai_sdk=${version}` }), prepareSendMessagesRequest: ({ id, messages }) => ({ api: `${url}/chat/slow?ai_sdk=${version}&on_disconnect=continue`, body: { id, messages } }) });
    return new Chat({ id: `chat${version}-slow`, state, transport });
  };
  const first = open([]);
  const sending = first.sendMessage({ text: "A joke about ice" });
  while ((first.messages[1]?.parts.at(-1)?.text ?? "").length < 20) await new Promise((resolve) => setTimeout(resolve, 2));
  await first.stop();
  await sending;
  const second = open(first.messages.slice(0, 1));
  const reading = second.resumeStream();
  while (!second.messages[1]?.parts.at(-1)?.text) await new Promise((resolve) => setTimeout(resolve, 2));
  writeFileSync(`read_again${version}`, ""); // what follows comes only now
  await reading;
  const nothing = open(second.messages);
  await nothing.resumeStream();
  return [first.messages[1].parts.at(-1).text.length < second.messages[1].parts.at(-1).text.length, ...parts(second), nothing.status];
}

for (const graph of ["side_by_side", "graphs_in_tools", "nested_twice", "redacting", "with_blocks", "slow_tool"]) {
  found[graph] = { agui: await agui(graph), ai6: await chat(ai6, 6, graph), ai7: await chat(ai7, 7, graph) };
}
found.objects = { ai6: await chat(ai6, 6, "objects"), ai7: await chat(ai7, 7, "objects") };
found.counting = await states();
found.answers = await answers();
found.again = await again();
for (const [version, ai] of [[6, ai6], [7, ai7]]) {
  found[`approvals${version}`] = await approvals(ai, version, "reviewed", [true, false]);
  found[`inbox${version}`] = await approvals(ai, version, "inbox", [false, true]);
  found[`reloaded${version}`] = await reloaded(ai, version);
  found[`edited${version}`] = await edited(ai, version);
}
console.log(JSON.stringify(found));
process.exit(0);
