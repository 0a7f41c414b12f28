// Talks to a server with OpenAI's client for JavaScript, and prints what it has understood.
import OpenAI from "openai";

const [url] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "-", maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];
const found = {};

const chat = client.chat.completions.stream({ model: "speaking", messages, stream_options: { include_usage: true } });
found.chat = (await chat.finalChatCompletion()).choices[0].message.content;

const side = await client.responses.stream({ model: "side_by_side", input: "hi" }).finalResponse();
found.side = side.output.map((item) => item.content[0].text).sort();

const quoting = await client.responses.stream({ model: "with_blocks", input: "hi" }).finalResponse();
found.quoting = quoting.output.map((item) => [item.type, item.content?.[0].annotations.map((quoted) => quoted.url) ?? []]);

const format = { type: "json_schema", json_schema: { name: "joke", schema: { type: "object", required: ["setup"] } } };
const object = await client.chat.completions.parse({ model: "objects", messages, response_format: format });
found.object = object.choices[0].message.parsed;

found.errors = [];
for (const body of [{ model: "failing", messages, stream: true }, { model: "asking", messages, stream: true }, { model: "speakin", messages }, { model: "speaking", messages, tools: [{ type: "function", function: { name: "x" } }] }]) {
  try {
    const answer = await client.chat.completions.create(body);
    for await (const chunk of answer) chunk.choices.length;
  } catch (error) {
    found.errors.push(error.message);
  }
}
console.log(JSON.stringify(found));
process.exit(0);
