// The prompt that a model got, asked for when somebody wants to see it.

import { useRef, useState } from "preact/hooks";

import * as api from "./api.js";
import { trace } from "./store.js";
import { Tree, SmallMessage } from "./tree.js";
import { Copy, html, pretty } from "./ui.js";

export function Prompt({ call, run }) {
  const [found, set] = useState(null);
  const dialog = useRef(null);
  const { thread } = trace.value;
  if (!thread) return null;
  const open = async () => {
    try {
      set(await api.prompt(thread, run, call));
    } catch (error) {
      set({ refused: error.message });
    }
    dialog.current.showModal();
  };
  return html`<button type="button" class="quiet small" onClick=${open}>Prompt</button>
    <dialog ref=${dialog} class="prompt" aria-label="The prompt that the model got" onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
      <header><h2>Prompt</h2>${found?.model && html`<code>${found.model}</code>`}<span class="space"></span>
        <${Copy} text=${() => pretty(found)} label="Copy as JSON" />
        <button type="button" class="quiet" onClick=${() => dialog.current.close()}>Close</button>
      </header>
      <div class="scroll" tabindex="0">
        ${found?.refused && html`<p class="empty">${found.refused}</p>`}
        ${(found?.messages ?? []).map((message) => html`<${SmallMessage} message=${message} />`)}
        ${found?.options && Object.keys(found.options).length > 0 && html`<h3>Options</h3><${Tree} value=${found.options} />`}
      </div>
    </dialog>`;
}
