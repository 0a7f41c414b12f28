// Folds the records that are given on standard input with the page's own modules, and prints what they come to.

import { readFileSync } from "node:fs";

const [folder] = process.argv.slice(2);
const { fold } = await import(`${folder}/fold.js`);
const { wasTaken } = await import(`${folder}/paths.js`);
const { placed } = await import(`${folder}/graphs.js`);
const { changes } = await import(`${folder}/changes.js`);

const { eventsOf } = await import(`${folder}/saved.js`);

const { history, graph, closed = [], states, records = history && eventsOf(history) } = JSON.parse(readFileSync(0, "utf-8"));
const print = (value) => console.log(JSON.stringify(value));

if (states) print(changes(...states));
else if (records) {
  const model = fold(records);
  print({
    run: model.run,
    tasks: [...model.tasks.values()].map(({ path, step, status, attempts, failures, spans, first }) => ({ path, step, status, attempts, failures, spans, first })),
    messages: [...model.messages.values()].map(({ path, text, retracted, open, role }) => ({ path, text, retracted, open, role })),
    tools: [...model.tools.values()].map(({ name, status }) => ({ name, status })),
    states: model.states.map(({ step, values }) => ({ step, values })),
    questions: [...model.questions.values()].map(({ value, open, path }) => ({ value, open, path })),
    taken: (graph?.edges ?? []).filter(({ source, target }) => wasTaken(model, source, target)).map(({ source, target }) => `${source}>${target}`),
    nodes: Object.fromEntries([...model.nodes].map(([path, { status, count, attempts }]) => [path, [status, count, attempts]])),
  });
} else print(placed(graph, new Set(closed), (text) => 8 * text.length));
