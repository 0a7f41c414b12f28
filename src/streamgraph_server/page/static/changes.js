// What a step has changed in the state. No DOM.

const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/**
 * Return the changes between two values, as `{path, kind, before, after}` with the kinds `added`, `removed`, `changed`.
 * Objects are compared key by key. What was appended to a list is one change for each item; so is a message that has
 * another content than before, since messages are known by their ids.
 */
export function changes(before, after, path = []) {
  if (same(before, after)) return [];
  if (before === undefined) return [{ path, kind: "added", before, after }];
  if (after === undefined) return [{ path, kind: "removed", before, after }];
  if (Array.isArray(before) && Array.isArray(after)) return inList(before, after, path);
  if (isObject(before) && isObject(after) && !("content" in after && "type" in after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => changes(before[key], after[key], [...path, key]));
  }
  return [{ path, kind: "changed", before, after }];
}

function inList(before, after, path) {
  const known = new Map(before.filter((item) => isObject(item) && item.id != null).map((item) => [item.id, item]));
  if (known.size && known.size === before.length) return byId(before, after, known, path);
  if (after.length >= before.length && before.every((item, place) => same(item, after[place]))) {
    return after.slice(before.length).map((item, place) => ({ path: [...path, before.length + place], kind: "added", before: undefined, after: item }));
  }
  if (before.length !== after.length || before.length > 200) return [{ path, kind: "changed", before, after }];
  return before.flatMap((item, place) => changes(item, after[place], [...path, place]));
}

function byId(before, after, known, path) {
  const found = [];
  const kept = new Set();
  after.forEach((item, place) => {
    const old = isObject(item) ? known.get(item.id) : undefined;
    if (old === undefined) found.push({ path: [...path, place], kind: "added", before: undefined, after: item });
    else {
      kept.add(item.id);
      if (!same(old, item)) found.push({ path: [...path, place], kind: "changed", before: old, after: item });
    }
  });
  for (const item of before) if (!kept.has(item.id)) found.push({ path: [...path, item.id], kind: "removed", before: item, after: undefined });
  return found;
}
