// Where the nodes and edges of a graph are drawn: nested graphs are folded to one node or laid out in a frame. No DOM.

import { backEdges, layered } from "./layered.js";

export const END_SIZE = 30;
const NODE_HEIGHT = 46;
const GAP = { x: 26, y: 42, line: 14 };
const MARGIN = 14;
const FRAME = { top: 32, side: 16, bottom: 16, port: 40, exit: 32 };

/** The paths of the nested graphs of a graph, the outer ones first. */
export function nestedGraphs(graph) {
  const found = new Set();
  for (const { id } of graph.nodes) {
    const parts = id.split(":");
    for (let length = 1; length < parts.length; length += 1) found.add(parts.slice(0, length).join(":"));
  }
  return [...found].sort((a, b) => a.split(":").length - b.split(":").length);
}

/** The name that is shown for a path: its last part. */
export function label(path) {
  const name = path.slice(path.lastIndexOf(":") + 1);
  return name === "__start__" ? "start" : name === "__end__" ? "end" : name;
}

/** The graph with the named nested graphs folded, each to one node. */
export function folded(graph, closed) {
  const visible = (id) => {
    const parts = id.split(":");
    for (let length = 1; length < parts.length; length += 1) {
      const prefix = parts.slice(0, length).join(":");
      if (closed.has(prefix)) return prefix;
    }
    return id;
  };
  const nodes = new Map();
  for (const node of graph.nodes) {
    const id = visible(node.id);
    if (!nodes.has(id)) nodes.set(id, id === node.id ? node : { id, nested: true });
  }
  const edges = new Map();
  for (const edge of graph.edges) {
    const [source, target] = [visible(edge.source), visible(edge.target)];
    if (source === target && source !== edge.source) continue;
    const key = `${source}>${target}`;
    const known = edges.get(key);
    if (known === undefined) edges.set(key, { source, target, conditional: !!edge.conditional, data: edge.data ?? null, of: [edge] });
    else known.of.push(edge);
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

/**
 * Return `{width, height, nodes, edges, frames}` with places, of a graph whose nested graphs in `closed` are folded.
 * `measure(text)` is the width of a name in pixels.
 *
 * Each nested graph is laid out by itself, and is a node of the graph around it. An edge into it leads to a port on its
 * border, and from there on in its own layout.
 */
export function placed(graph, closed, measure) {
  const shown = folded(graph, closed);
  const frames = nestedGraphs(shown);
  const levels = new Map(["", ...frames].map((id) => [id, { nodes: [], edges: new Map() }]));
  for (const id of [...shown.nodes.map((node) => node.id), ...frames]) levels.get(parent(id)).nodes.push(id);
  const sizes = new Map(shown.nodes.map((node) => [node.id, size(node, measure)]));
  const routes = routed(shown.edges, levels);
  for (const id of [...frames].reverse()) {
    const level = layOut(levels.get(id), sizes);
    sizes.set(id, {
      width: Math.max(level.width + 2 * FRAME.side, measure(label(id)) + 60),
      height: level.height + level.before + level.after,
    });
  }
  const whole = layOut(levels.get(""), sizes);
  const boxes = new Map();
  const spread = (id, left, top) => {
    const level = levels.get(id);
    Object.assign(level, { left, top });
    for (const inner of level.nodes) {
      const { x, y } = level.at.get(inner);
      const { width, height } = sizes.get(inner);
      const box = { id: inner, x: left + x - width / 2, y: top + y - height / 2, width, height };
      boxes.set(inner, box);
      if (levels.has(inner)) spread(inner, box.x + (width - levels.get(inner).width) / 2, box.y + levels.get(inner).before);
    }
  };
  spread("", MARGIN, MARGIN);
  return {
    width: whole.width + 2 * MARGIN,
    height: whole.height + 2 * MARGIN,
    nodes: shown.nodes.map((node) => ({ ...node, ...boxes.get(node.id) })),
    edges: shown.edges.map((edge, place) => {
      const points = pointsOf(routes[place], levels, boxes);
      return { ...edge, points, path: edge.source === edge.target ? circle(points) : curve(points) };
    }),
    frames: frames.map((id) => boxes.get(id)),
  };
}

const IN = "(in)";
const OUT = "(out)";
const parent = (id) => id.slice(0, Math.max(0, id.lastIndexOf(":")));

/**
 * The ways of each edge through the levels that it crosses, noted in each: out of frames, across, and into frames.
 *
 * What leads back ends at the border of a frame: it comes from below, where the first nodes of the frame are not.
 */
function routed(edges, levels) {
  const above = (id) => (id === "" ? [""] : [...above(parent(id)), id]);
  const add = (level, source, target) => {
    const known = levels.get(level).edges;
    const key = `${source}>${target}`;
    if (!known.has(key)) known.set(key, { source, target });
    return { level, edge: known.get(key) };
  };
  const crossing = edges.map(({ source, target }) => {
    const [a, b] = [above(source), above(target)];
    let common = 0;
    while (common + 1 < Math.min(a.length, b.length) - 1 && a[common + 1] === b[common + 1]) common += 1;
    return { a, b, common, main: add(a[common], a[common + 1], b[common + 1]) };
  });
  const back = new Set([...levels.values()].flatMap((level) => [...backEdges(level.nodes, [...level.edges.values()])]));
  return crossing.map(({ a, b, common, main }) => {
    const ways = [main];
    if (back.has(main.edge) || a[common + 1] === b[common + 1]) return ways;
    for (let depth = common + 1; depth < b.length - 1; depth += 1) ways.push(add(b[depth], IN, b[depth + 1]));
    for (let depth = common + 1; depth < a.length - 1; depth += 1) ways.unshift(add(a[depth], a[depth + 1], OUT));
    return ways;
  });
}

function layOut(level, sizes) {
  const edges = [...level.edges.values()];
  const port = (id) => (edges.some((edge) => edge.source === id || edge.target === id) ? [{ id, width: 2, height: 0 }] : []);
  const nodes = level.nodes.map((id) => ({ id, ...sizes.get(id) }));
  // The way from a port to the first node is the space at the border.
  level.before = port(IN).length ? FRAME.top - FRAME.port : FRAME.top;
  level.after = port(OUT).length ? FRAME.bottom - FRAME.exit : FRAME.bottom;
  const found = layered([...port(IN), ...nodes, ...port(OUT)], edges, GAP);
  return Object.assign(level, found, { lines: new Map(edges.map((edge, place) => [edge, found.lines[place]])) });
}

/** The points of an edge in the whole drawing, where its ways meet on the borders of frames. */
function pointsOf(ways, levels, boxes) {
  const found = [];
  for (const { level: id, edge } of ways) {
    const { lines, left, top } = levels.get(id);
    const points = lines.get(edge).map(({ x, y }) => ({ x: x + left, y: y + top }));
    const box = boxes.get(id);
    if (edge.target === OUT) points[points.length - 1].y = box.y + box.height;
    if (edge.source === IN) {
      points[0].y = box.y;
      found.pop();
    } else if (found.length) points.shift();
    found.push(...points);
  }
  return found;
}

function size({ id, nested, metadata }, measure) {
  const name = id.slice(id.lastIndexOf(":") + 1);
  if (name === "__start__" || name === "__end__") return { width: measure(label(id)) + 26, height: END_SIZE };
  const tools = metadata?.__tools?.length ?? 0;
  const width = Math.max(112, measure(label(id)) + 54 + (nested ? 18 : 0));
  return { width: Math.min(220, width), height: NODE_HEIGHT + (tools ? 4 : 0) };
}

/** The line of an edge from a node to itself. */
function circle(points) {
  const [a, b, c, d] = points.map(({ x, y }) => `${Math.round(x)} ${Math.round(y)}`);
  return `M${a}C${b} ${c} ${d}`;
}

/** A smooth line through points that leaves and reaches each of them vertically, as the path of an SVG element. */
function curve(points) {
  const n = (value) => Math.round(value * 10) / 10;
  return points.reduce((path, { x, y }, place) => {
    if (place === 0) return `M${n(x)} ${n(y)}`;
    const before = points[place - 1];
    if (Math.abs(before.x - x) < 0.5) return `${path}L${n(x)} ${n(y)}`;
    const middle = n((before.y + y) / 2);
    return `${path}C${n(before.x)} ${middle} ${n(x)} ${middle} ${n(x)} ${n(y)}`;
  }, "");
}
