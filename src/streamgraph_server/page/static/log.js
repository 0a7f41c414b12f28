// The log of a run as a file: JSON lines, of which the first says what the run was; saved, and opened again.

import { graphName, show, structure, threadId, trace } from "./store.js";
import { download, short } from "./ui.js";

const FORMAT = "streamgraph-log";

export function saveLog() {
  const { records, run } = trace.value;
  const head = { format: FORMAT, version: 1, name: graphName.value, thread: threadId.value, run, graph: structure.value };
  const lines = [head, ...records].map((line) => JSON.stringify(line));
  download(`${graphName.value || "run"}-${short(run)}.jsonl`, "application/jsonl", `${lines.join("\n")}\n`);
}

export async function openLog(file) {
  const lines = (await file.text()).split("\n").filter((line) => line.trim() !== "");
  const read = lines.map((line, place) => {
    try {
      return JSON.parse(line);
    } catch {
      throw new Error(`Line ${place + 1} of ${file.name} is not JSON.`);
    }
  });
  const head = read[0]?.format === FORMAT ? read.shift() : {};
  const records = read.map(recordOf);
  const wrong = records.findIndex((record) => typeof record?.event !== "string");
  if (!records.length || wrong >= 0) throw new Error(`${file.name} is no log of a run: line ${wrong + 2} has no event.`);
  show({ records, graph: head.graph, run: head.run, name: file.name });
}

/** A record of this page, or a part as streamgraph writes it: `{type, ns, data}`. */
function recordOf(line) {
  if (line === null || typeof line !== "object" || line.event !== undefined || typeof line.type !== "string") return line;
  return { id: line.id, event: [line.type, ...(line.ns ?? [])].join("|"), data: line.data, at: line.at };
}
