// Opens the React page of the cookbook in jsdom, uses it as a person would, and prints what it has shown.
import { build } from "esbuild";
import { JSDOM } from "jsdom";

const [url] = process.argv.slice(2);
const dom = new JSDOM('<!doctype html><div id="root"></div>', { url: "http://localhost/" });
for (const name of ["window", "document", "localStorage", "sessionStorage", "HTMLElement", "Node", "Event", "MouseEvent"]) {
  Object.defineProperty(globalThis, name, { value: name === "window" ? dom.window : dom.window[name], configurable: true });
}
await build({ entryPoints: ["chat.jsx"], outfile: "chat.mjs", bundle: true, format: "esm", jsx: "automatic", packages: "external", logLevel: "error" });
const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { Chat } = await import("./chat.mjs");

const holder = document.getElementById("root");
const texts = () => [...holder.querySelectorAll("p")].map((p) => `${p.className || p.getAttribute("role")}: ${p.textContent}`);
const button = (name) => [...holder.querySelectorAll("button")].find((one) => one.textContent === name);
const lengths = new Set();

async function until(condition, what) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    if (await condition()) return;
    const last = [...holder.querySelectorAll("p.ai")].at(-1);
    if (last) lengths.add(last.textContent.length);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`It never came: ${what}. ${holder.innerHTML}`);
}

function open() {
  const root = createRoot(holder);
  root.render(createElement(Chat, { apiUrl: url, assistantId: "publisher" }));
  return root;
}

async function send(text) {
  await until(() => button("Send"), "a button to send");
  const input = holder.querySelector("input");
  Object.getOwnPropertyDescriptor(dom.window.HTMLInputElement.prototype, "value").set.call(input, text);
  input.dispatchEvent(new dom.window.Event("input", { bubbles: true }));
  await until(() => !button("Send").disabled, "a button that can be pressed");
  button("Send").click();
}

let root = open();
await send("A joke about ice");
await until(() => button("Yes"), "a question");
const asked = holder.querySelector("section").firstChild.textContent;
button("Yes").click();
await until(() => texts().some((text) => text.includes("published")), "what follows");
await until(() => button("Send"), "the end");
const first = texts();

root.unmount();
root = open();
await until(() => texts().length === first.length, "the thread after a reload");
const again = texts();

// A reload while a run goes on: it is read to its end.
await send("Another joke");
await until(() => texts().length > first.length + 1, "some of the answer");
root.unmount();
root = open();
await until(() => button("No"), "the question after a reload");
const resumed = texts();
button("No").click();
await until(() => texts().some((text) => text.includes("It stays here")), "what follows");

// Stopping ends the run.
await until(() => button("Send"), "the end");
await send("A long joke");
await until(() => texts().length > resumed.length + 2, "some of the answer");
lengths.clear();
await until(() => lengths.size > 5, "an answer that grows");
button("Stop").click();
await until(() => button("Send"), "the end after stopping");
const headers = { "content-type": "application/json" };
const busy = async () => (await fetch(`${url}/threads/search`, { method: "POST", headers, body: '{"status": "busy"}' })).json();
// The page does not wait until its request to cancel has arrived; its process has to. One request after the other.
await until(async () => (await busy()).length === 0, "the end of the run");
root.unmount();
console.log(JSON.stringify({ asked, first, again, resumed, lengths: lengths.size }));
process.exit(0);
