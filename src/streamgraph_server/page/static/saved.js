// A thread as it is saved, told as the events of a run: for runs that the server does not know any more. No DOM.

const isMessage = (value) => value !== null && typeof value === "object" && typeof value.type === "string" && "content" in value;

/** The records from the first to the newest one, each the parent of the next: other branches were left. */
export function branch(history) {
  const known = new Map(history.map((record) => [record.checkpoint.checkpoint_id, record]));
  const found = [];
  for (let record = history[0]; record !== undefined; record = known.get(record.parent_checkpoint?.checkpoint_id)) found.unshift(record);
  return found;
}

/** The events that lead to the newest record of a thread's history, which is given newest first. */
export function eventsOf(history) {
  const records = branch(history);
  const found = [];
  records.forEach((record, place) => {
    const at = Date.parse(record.created_at);
    const add = (event, data, when = at) => found.push({ event, data, at: when });
    if (place === 0 || record.metadata?.source === "input") {
      if (place) add("end", null);
      add("metadata", { run_id: null });
    }
    if (record.metadata?.source === "input") return;
    add("values", record.values ?? {});
    const tasks = record.tasks.filter(({ name }) => !name.startsWith("__"));
    for (const { id, name } of tasks) add("tasks", { id, name, triggers: [] });
    const next = records[place + 1];
    for (const task of tasks) {
      const { id, name, error, result, interrupts } = task;
      const when = next === undefined ? at : Date.parse(next.created_at);
      for (const value of Object.values(result ?? {})) {
        for (const message of [value].flat().filter(isMessage)) {
          add("messages", [message, { langgraph_node: name, langgraph_checkpoint_ns: `${name}:${id}` }], when);
        }
      }
      if (next !== undefined) add("tasks", { id, name, error: null, result, interrupts: [] }, when);
      else if (error || interrupts.length) add("tasks", { id, name, error: error && { message: error }, result, interrupts });
    }
    if (next === undefined) add(...last(record, tasks));
  });
  return found;
}

function last(record, tasks) {
  const failed = tasks.find(({ error }) => error);
  if (failed) return ["error", { error: "Failed", message: failed.error }];
  if (!record.next.length || tasks.some(({ interrupts }) => interrupts.length)) return ["end", null];
  return ["error", { error: "UserInterrupt", message: `The thread stands before ${record.next.join(", ")}: nothing runs.` }];
}
