// The graph, drawn: its nodes with their state, the edges that were taken, nested graphs in frames that fold.

import { useMemo } from "preact/hooks";

import { label, nestedGraphs, placed } from "./graphs.js";
import { wasTaken } from "./paths.js";
import { closed, filter, model, structure } from "./store.js";
import { colour, download, duration, hue, html, Icon, useSize, WORDS } from "./ui.js";

const canvas = document.createElement("canvas").getContext("2d");

function measure(text) {
  canvas.font = `550 13px ${getComputedStyle(document.body).fontFamily}`;
  return canvas.measureText(text).width;
}

export function GraphView() {
  const graph = structure.value;
  const [box, size] = useSize();
  const drawing = useMemo(() => graph && placed(graph, closed.value, measure), [graph, closed.value]);
  const nested = useMemo(() => {
    const found = graph ? nestedGraphs(graph) : [];
    if (graph) colour([...graph.nodes.map(({ id }) => id).filter((id) => !/(^|:)__(start|end)__$/.test(id)), ...found]);
    return found;
  }, [graph]);
  const shown = model();
  const scale = drawing && size.width ? Math.max(0.55, Math.min(1.15, size.width / drawing.width, size.height / drawing.height)) : 1;
  return html`<section class="panel graph" aria-label="Graph">
    <header>
      <h2>Graph</h2>
      ${nested.length > 0 &&
      html`<button type="button" class="quiet small" onClick=${() => (closed.value = new Set(closed.value.size ? [] : nested))}>
        ${closed.value.size ? "Unfold all" : "Fold all"}
      </button>`}
      <button type="button" class="quiet small" title="Save the graph as PNG" onClick=${savePNG}>PNG</button>
      <button type="button" class="quiet small" title="Save the graph as SVG" onClick=${saveSVG}>SVG</button>
    </header>
    <div class="canvas" ref=${box} tabindex="0" role="region" aria-label="Drawing of the graph">
      ${drawing &&
      html`<svg xmlns="http://www.w3.org/2000/svg" class="drawing" width=${drawing.width * scale} height=${drawing.height * scale}
        viewBox=${`0 0 ${drawing.width} ${drawing.height}`} role="group" aria-label=${`Graph of ${drawing.nodes.length} nodes`}>
        <defs>
          ${["idle", "taken"].map(
            (kind) => html`<marker id=${`arrow-${kind}`} class=${`arrow ${kind}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"
              markerHeight="7" orient="auto-start-reverse" markerUnits="userSpaceOnUse"><path d="M0.5 0.8 7.5 4 0.5 7.2z" /></marker>`,
          )}
        </defs>
        ${drawing.frames.map((frame) => html`<${Frame} key=${frame.id} frame=${frame} shown=${shown} />`)}
        ${drawing.edges.map((edge) => html`<${Edge} key=${`${edge.source}>${edge.target}`} edge=${edge} shown=${shown} />`)}
        ${drawing.nodes.map((node) => html`<${Node} key=${node.id} node=${node} shown=${shown} />`)}
      </svg>`}
    </div>
  </section>`;
}

function fold(id) {
  const next = new Set(closed.value);
  if (!next.delete(id)) next.add(id);
  closed.value = next;
}

/** Keys that stand for a click. */
const onKey = (act) => (event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  act();
};

function Frame({ frame, shown }) {
  const status = shown.nodes.get(frame.id)?.status ?? "idle";
  const name = label(frame.id);
  const act = () => fold(frame.id);
  return html`<g class=${`frame is-${status}`} transform=${`translate(${frame.x} ${frame.y})`}>
    <rect width=${frame.width} height=${frame.height} rx="14" />
    <g class="handle" role="button" tabindex="0" aria-expanded="true" aria-label=${`Fold ${name}, ${WORDS[status]}`} onClick=${act} onKeyDown=${onKey(act)}>
      <rect class="hit" x="6" y="4" width=${frame.width - 12} height="22" rx="7" />
      <path class="chevron" d="M14 12l4 4 4-4" />
      <text x="28" y="19">${name}</text>
    </g>
  </g>`;
}

function Edge({ edge, shown }) {
  const taken = edge.of.some(({ source, target }) => wasTaken(shown, source, target));
  const live = taken && shown.nodes.get(edge.target)?.running > 0;
  const kind = taken ? "taken" : "idle";
  const middle = edge.points[Math.floor(edge.points.length / 2)];
  return html`<g class=${`edge ${kind}${edge.conditional ? " conditional" : ""}${live ? " live" : ""}`} data-edge=${`${edge.source}>${edge.target}`}>
    <path d=${edge.path} marker-end=${`url(#arrow-${kind})`} />
    ${edge.data && html`<text x=${middle.x} y=${middle.y - 4} text-anchor="middle">${edge.data}</text>`}
  </g>`;
}

function Node({ node, shown }) {
  const { id, x, y, width, height } = node;
  const name = label(id);
  const terminal = /(^|:)__(start|end)__$/.test(id);
  if (terminal) {
    const reached = id.endsWith("__start__") ? shown.run.start !== null : [...shown.transitions].some((edge) => edge.endsWith(`>${id}`));
    return html`<g class=${`terminal${reached ? " reached" : ""}`} transform=${`translate(${x} ${y})`}>
      <rect width=${width} height=${height} rx=${height / 2} />
      <text x=${width / 2} y=${height / 2 + 4} text-anchor="middle">${name}</text>
    </g>`;
  }
  const known = shown.nodes.get(id);
  const status = known?.status ?? "idle";
  const chosen = filter.value.nodes.has(id);
  const act = () => {
    const nodes = new Set(filter.value.nodes);
    if (!nodes.delete(id)) nodes.add(id);
    filter.value = { ...filter.value, nodes };
  };
  const below = below_(known, node);
  const seen = [name, below, known?.attempts ? `↻ ${known.attempts}` : ""].filter(Boolean).join(" ");
  const words = [seen, WORDS[status], known?.count > 1 && `${known.count} times`, known?.attempts && `${known.attempts} retries`].filter(Boolean);
  return html`<g class=${`node is-${status} hue-${hue(id)}${chosen ? " chosen" : ""}${node.nested ? " nested" : ""}`} data-node=${id}
    transform=${`translate(${x} ${y})`} role="button" tabindex="0" aria-pressed=${chosen} aria-label=${words.join(", ")}
    onClick=${act} onKeyDown=${onKey(act)}>
    ${node.nested && html`<rect class="behind" x="5" y="5" width=${width} height=${height} rx="11" />`}
    <rect class="halo" x="-3" y="-3" width=${width + 6} height=${height + 6} rx="14" />
    <rect class="body" width=${width} height=${height} rx="11" />
    <rect class="stripe" x="0" y="11" width="3.5" height=${height - 22} rx="1.75" />
    <${Sign} status=${status} x=${19} y=${height / 2} />
    <text class="name" x="33" y=${below ? height / 2 - 2 : height / 2 + 4.5}>${cut(name, width - 44)}</text>
    ${below && html`<text class="below" x="33" y=${height / 2 + 13}>${` ${below}`}</text>`}
    ${known?.attempts > 0 && html`<g class="retries" transform=${`translate(${width + 2} 1)`}>
      <rect x="-17" y="-9" width="34" height="18" rx="9" /><text x="0" y="4" text-anchor="middle">${` ↻ ${known.attempts}`}</text>
    </g>`}
    ${node.nested && html`<g class="unfold" role="button" tabindex="0" aria-expanded="false" aria-label=${`Unfold ${name}`}
      onClick=${(event) => (event.stopPropagation(), fold(id))} onKeyDown=${(event) => (event.stopPropagation(), onKey(() => fold(id))(event))}>
      <rect class="hit" x=${width - 27} y=${height / 2 - 11} width="22" height="22" rx="7" />
      <path class="chevron" d=${`M${width - 18} ${height / 2 - 4}l4 4-4 4`} />
    </g>`}
  </g>`;
}

function below_(known, node) {
  if (known === undefined) return (node.metadata?.__tools ?? []).join(", ").slice(0, 26);
  if (known.status === "running") return known.count > 1 ? `running · ×${known.count}` : "running";
  if (known.status === "asking") return "waits for you";
  const spent = duration(known.spent);
  return known.count > 1 ? `×${known.count} · ${spent}` : known.status === "failed" ? `failed · ${spent}` : spent;
}

function cut(name, width) {
  let text = name;
  while (text.length > 3 && measure(text) > width) text = `${text.slice(0, -2)}…`;
  return text;
}

/** The state of a node as a shape, so that it is not told by colour alone. */
function Sign({ status, x, y }) {
  const shapes = {
    done: html`<path d="M-3.6 0.2-1 2.8 3.8-2.6" />`,
    failed: html`<path d="M-3-3 3 3M3-3-3 3" />`,
    asking: html`<path d="M-2-1.6A2 2 0 1 1 .9.3C.2.7 0 1 0 1.8M0 3.9v.1" />`,
    cancelled: html`<rect x="-2.6" y="-2.6" width="5.2" height="5.2" />`,
    running: html`<path class="turning" d="M0-4.4A4.4 4.4 0 0 1 4.4 0" />`,
  };
  return html`<g class="sign" transform=${`translate(${x} ${y})`}><circle r="7.5" />${shapes[status]}</g>`;
}

/** The drawing as a picture of its own, with the colours that it has here; null if nothing is drawn. */
function picture() {
  const drawing = document.querySelector("svg.drawing");
  if (drawing === null) return null;
  const copy = drawing.cloneNode(true);
  const inside = drawing.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((element, place) => {
    const style = getComputedStyle(inside[place]);
    for (const key of ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-weight", "font-family"]) {
      element.setAttribute(key, style.getPropertyValue(key));
    }
  });
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const { width, height } = drawing.viewBox.baseVal;
  for (const [key, value] of Object.entries({ width, height, fill: getComputedStyle(document.body).backgroundColor })) paper.setAttribute(key, value);
  copy.prepend(paper);
  return { type: "image/svg+xml", text: new XMLSerializer().serializeToString(copy), width, height };
}

function saveSVG() {
  const found = picture();
  if (found) download("graph.svg", found.type, found.text);
}

/** Save the whole drawing, sharp on a screen with small pixels too, also where the panel shows a part of it. */
async function savePNG() {
  const found = picture();
  if (!found) return;
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([found.text], { type: found.type }));
  await image.decode();
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [2 * found.width, 2 * found.height];
  sheet.getContext("2d").drawImage(image, 0, 0, sheet.width, sheet.height);
  URL.revokeObjectURL(image.src);
  sheet.toBlob((made) => download("graph.png", "image/png", made));
}
