// A drawing of a directed graph in layers, from top to bottom: which layer a node is in, in which order the nodes of a
// layer stand, and where (Sugiyama's method). No DOM.

const SWEEPS = 12;
const LOOP = 30; // how far an edge from a node to itself reaches

/** The edges that have to be turned round so that no circle is left: those that lead back on a way from the first node. */
export function backEdges(ids, edges) {
  const out = new Map(ids.map((id) => [id, []]));
  for (const edge of edges) out.get(edge.source).push(edge);
  const state = new Map();
  const back = new Set();
  const visit = (id) => {
    state.set(id, "open");
    for (const edge of out.get(id)) {
      if (state.get(edge.target) === "open") back.add(edge);
      else if (!state.has(edge.target)) visit(edge.target);
    }
    state.set(id, "done");
  };
  for (const id of ids) if (!state.has(id)) visit(id);
  return back;
}

/**
 * Return `{width, height, at, lines}`: the middle of each node by its id, and for each edge the points that it leads
 * through, in its direction.
 *
 * `nodes` are `{id, width, height}`; `gap` has the space between nodes (`x`), between layers (`y`), and between lines.
 */
export function layered(nodes, edges, gap) {
  const ids = nodes.map(({ id }) => id);
  const back = backEdges(ids, edges);
  const links = edges.map((edge) => ({ edge, isBack: back.has(edge), from: back.has(edge) ? edge.target : edge.source, to: back.has(edge) ? edge.source : edge.target }));
  const proper = links.filter(({ from, to }) => from !== to);
  const layers = inLayers(nodes, proper, gap);
  order(layers);
  places(layers, gap);
  let y = 0;
  for (const [number, layer] of layers.entries()) {
    const height = Math.max(0, ...layer.map((one) => one.height));
    for (const one of layer) one.y = y + height / 2;
    layer.top = y;
    layer.bottom = y + height;
    y += height + (number < layers.length - 1 ? gap.y / 2 : 0);
  }
  const all = layers.flat();
  const left = Math.min(0, ...all.map((one) => one.x - one.width / 2));
  for (const one of all) one.x -= left;
  const at = new Map(all.filter((one) => one.id !== undefined).map((one) => [one.id, one]));
  const circles = new Set(links.filter(({ from, to }) => from === to).map(({ from }) => from));
  return {
    width: Math.max(0, ...all.map((one) => one.x + one.width / 2 + (circles.has(one.id) ? LOOP : 0))),
    height: y,
    at,
    lines: links.map((link) => line(link, at, layers)),
  };
}

/** Nodes in layers, each a layer below all that lead to it; every edge has a point of its own in each layer between. */
function inLayers(nodes, links, gap) {
  const rank = new Map(nodes.map(({ id }) => [id, 0]));
  for (let round = 0, moved = true; moved && round <= nodes.length; round += 1) {
    moved = false;
    for (const { from, to } of links) {
      if (rank.get(to) < rank.get(from) + 2) {
        rank.set(to, rank.get(from) + 2);
        moved = true;
      }
    }
  }
  const layers = Array.from({ length: Math.max(0, ...rank.values()) + 1 }, () => []);
  const made = new Map(nodes.map((node) => [node.id, { ...node, up: [], down: [], rank: rank.get(node.id) }]));
  for (const one of made.values()) layers[one.rank].push(one);
  const connect = (a, b) => (a.down.push(b), b.up.push(a));
  for (const link of links) {
    let last = made.get(link.from);
    const end = made.get(link.to);
    link.points = [];
    for (let at = last.rank + 1; at < end.rank; at += 1) {
      const point = { width: gap.line, height: 0, up: [], down: [], rank: at };
      layers[at].push(point);
      link.points.push(point);
      connect(last, point);
      last = point;
    }
    connect(last, end);
  }
  return layers;
}

/** Put the nodes of each layer in an order with few crossings: by the mean place of their neighbours, up and down. */
function order(layers) {
  const number = (layer) => layer.forEach((one, place) => (one.place = place));
  layers.forEach(number);
  let best = layers.map((layer) => [...layer]);
  let least = crossings(layers);
  for (let sweep = 0; sweep < SWEEPS && least > 0; sweep += 1) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      const mean = (one) => {
        const near = down ? one.up : one.down;
        return near.length ? near.reduce((sum, other) => sum + other.place, 0) / near.length : one.place;
      };
      const wanted = new Map(layer.map((one) => [one, mean(one)]));
      layer.sort((a, b) => wanted.get(a) - wanted.get(b));
      number(layer);
    }
    const found = crossings(layers);
    if (found < least) [least, best] = [found, layers.map((layer) => [...layer])];
  }
  best.forEach((layer, at) => {
    layers[at].splice(0, layer.length, ...layer);
    number(layers[at]);
  });
}

function crossings(layers) {
  let count = 0;
  for (const layer of layers) {
    const ends = layer.flatMap((one) => one.down.map((other) => [one.place, other.place]));
    for (let a = 0; a < ends.length; a += 1) {
      for (let b = a + 1; b < ends.length; b += 1) {
        if ((ends[a][0] - ends[b][0]) * (ends[a][1] - ends[b][1]) < 0) count += 1;
      }
    }
  }
  return count;
}

/** Give each node a place in its layer: as near to the middle of its neighbours as the others of the layer allow. */
function places(layers, gap) {
  const space = (a, b) => (a.width + b.width) / 2 + (a.id !== undefined || b.id !== undefined ? gap.x : gap.line);
  for (const layer of layers) {
    let x = 0;
    layer.forEach((one, place) => {
      if (place) x += space(layer[place - 1], one);
      one.x = x;
    });
    for (const one of layer) one.x -= x / 2;
  }
  for (let sweep = 0; sweep < 2 * SWEEPS; sweep += 1) {
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      const near = (one) => (sweep < SWEEPS ? (sweep % 2 ? one.down : one.up) : [...one.up, ...one.down]);
      const offsets = [0];
      for (let place = 1; place < layer.length; place += 1) offsets.push(offsets[place - 1] + space(layer[place - 1], layer[place]));
      const wanted = layer.map((one, place) => {
        const found = near(one);
        const mean = found.length ? found.reduce((sum, other) => sum + other.x, 0) / found.length : one.x;
        return { value: mean - offsets[place], weight: one.id === undefined ? 2 : 1, count: 1 };
      });
      let place = 0;
      for (const { value, count } of pooled(wanted)) for (let at = 0; at < count; at += 1, place += 1) layer[place].x = value + offsets[place];
    }
  }
}

/** The nearest values that do not fall: neighbours in the wrong order share their mean (isotonic regression). */
function pooled(wanted) {
  const blocks = [];
  for (const next of wanted) {
    let block = { ...next };
    while (blocks.length && blocks[blocks.length - 1].value > block.value) {
      const before = blocks.pop();
      const weight = before.weight + block.weight;
      block = { value: (before.value * before.weight + block.value * block.weight) / weight, weight, count: before.count + block.count };
    }
    blocks.push(block);
  }
  return blocks;
}

/** The points of an edge, from the border of its source to that of its target. */
function line({ edge, isBack, from, to, points }, at, layers) {
  const a = at.get(from);
  const b = at.get(to);
  if (a === b) {
    const [x, y] = [a.x + a.width / 2, a.height / 4];
    return [{ x, y: a.y - y }, { x: x + LOOP, y: a.y - y }, { x: x + LOOP, y: a.y + y }, { x, y: a.y + y }];
  }
  const towards = (node, x) => Math.max(node.x - node.width * 0.32, Math.min(node.x + node.width * 0.32, x));
  const through = points.flatMap((point) => {
    const { top, bottom } = layers[point.rank];
    return bottom > top ? [{ x: point.x, y: top }, { x: point.x, y: bottom }] : [{ x: point.x, y: top }];
  });
  const first = { x: towards(a, points[0].x), y: a.y + a.height / 2 };
  const last = { x: towards(b, points[points.length - 1].x), y: b.y - b.height / 2 };
  const found = [first, ...through, last];
  return isBack && edge.source !== edge.target ? found.reverse() : found;
}
