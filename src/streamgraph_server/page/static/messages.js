// How the messages of a stream are put together: chunks of a model's answer, whole messages, results of tools, and
// what is taken back. Part of the fold; no DOM.

import { names } from "./paths.js";

/** Take a message or a chunk of one, with its metadata. */
export function applyMessage(model, ns, [chunk, metadata]) {
  const place = String(metadata?.langgraph_checkpoint_ns ?? "").split("|").pop();
  const task = model.tasks.get(place.slice(place.lastIndexOf(":") + 1));
  const id = chunk.id ?? `${place}#${model.feed.length}`;
  if (chunk.type === "remove") return retract(model, id, task);
  if (chunk.type === "tool" && chunk.tool_call_id) {
    if (toolResult(model, chunk, task)) return;
  }
  const message = model.messages.get(id) ?? begun(model, id, ns, chunk, metadata ?? {}, task);
  if (task) {
    task.first ??= model.now;
    task.tokens += 1;
  }
  const isChunk = chunk.type.endsWith("Chunk");
  if (!isChunk && message.chunks) Object.assign(message, { text: "", reasoning: "", calls: [] });
  message.chunks += 1;
  message.end = model.now;
  addContent(message, chunk);
  addCalls(message, chunk, isChunk);
  const usage = chunk.usage_metadata;
  if (usage) {
    for (const [key, count] of Object.entries(usage)) {
      if (typeof count === "number") message.usage[key] = (isChunk ? message.usage[key] ?? 0 : 0) + count;
    }
  }
  if (!isChunk || chunk.chunk_position === "last") message.open = false;
  message.item.revision += 1;
}

function begun(model, id, ns, chunk, metadata, task) {
  const name = metadata.langgraph_node ?? "";
  const prefix = names(ns).join(":");
  const tags = (metadata.tags ?? []).filter((tag) => !tag.startsWith("seq:step"));
  const message = {
    id, role: roleOf(chunk.type), path: prefix ? `${prefix}:${name}` : name, ns, task: task?.id ?? null, tags,
    step: metadata.langgraph_step, model: metadata.ls_model_name ?? metadata.ls_provider ?? "", call: metadata.run_id ?? null,
    text: "", reasoning: "", calls: [], other: [], usage: {}, chunks: 0, start: model.now, end: model.now, open: true,
    retracted: false, run: model.run.id, metadata,
  };
  for (const tag of tags) model.tags.add(tag);
  model.messages.set(id, message);
  message.item = model.show({ kind: "message", message, path: message.path, ns, task: message.task });
  return message;
}

function roleOf(type) {
  return { AIMessageChunk: "ai", HumanMessageChunk: "human", ToolMessageChunk: "tool" }[type] ?? type;
}

function retract(model, id, task) {
  const message = model.messages.get(id);
  if (message === undefined) return;
  message.retracted = true;
  message.open = false;
  message.item.revision += 1;
  const of = task ?? model.tasks.get(message.task);
  if (of === undefined || of.retracted?.has(id)) return;
  (of.retracted ??= new Set()).add(id);
  of.first = null;
  if (!model.knowsRetries) model.retried(of); // a log of a server that does not tell them
}

/** Give a tool call its result; false if the call is not known. */
function toolResult(model, chunk, task) {
  const call = model.tools.get(chunk.tool_call_id);
  if (call === undefined) return false;
  Object.assign(call, { output: chunk, status: chunk.status === "error" ? "failed" : "done", end: call.end ?? model.now });
  call.item.task ??= task?.id ?? null;
  call.item.path = task?.path ?? call.item.path;
  call.item.revision += 1;
  return true;
}

function addContent(message, chunk) {
  const hidden = chunk.additional_kwargs?.reasoning_content;
  if (typeof hidden === "string") message.reasoning += hidden;
  const blocks = Array.isArray(chunk.content) ? chunk.content : [chunk.content];
  for (const block of blocks) {
    if (typeof block === "string") message.text += block;
    else if (block === null || typeof block !== "object") continue;
    else if (["text", "text_delta", "output_text"].includes(block.type) && typeof block.text === "string") message.text += block.text;
    else if (thought(block)) message.reasoning += thought(block);
    else if (!["tool_use", "tool_call", "input_json_delta", "tool_call_chunk"].includes(block.type)) message.other.push(block);
  }
}

function thought(block) {
  for (const key of ["thinking", "reasoning", "reasoning_content"]) if (typeof block[key] === "string") return block[key];
  if (block.type !== "reasoning" || !Array.isArray(block.summary)) return "";
  return block.summary.map((item) => item?.text ?? "").join("");
}

function addCalls(message, chunk, isChunk) {
  if (!isChunk) {
    for (const call of chunk.tool_calls ?? []) message.calls.push({ id: call.id, name: call.name, args: JSON.stringify(call.args) });
    return;
  }
  for (const piece of chunk.tool_call_chunks ?? []) {
    let call = piece.index == null ? undefined : message.calls.find((known) => known.index === piece.index);
    if (call === undefined) message.calls.push((call = { index: piece.index, id: piece.id, name: "", args: "" }));
    call.id ??= piece.id;
    call.name += piece.name ?? "";
    call.args += piece.args ?? "";
  }
}
