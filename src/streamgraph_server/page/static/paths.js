// Where things are in a graph of graphs: paths such as "sub:inner", and whether an edge between two was taken.

/** The names of the nodes that a namespace leads through, without the ids of their tasks. */
export const names = (ns) => ns.filter((level) => level.includes(":")).map((level) => level.slice(0, level.lastIndexOf(":")));

/** The path of a node below a prefix. */
export const join = (prefix, name) => (prefix ? `${prefix}:${name}` : name);

/** Whether an edge of the drawn graph was taken: `a` and `b` are paths, maybe at different depths. */
export function wasTaken(model, a, b) {
  const source = a.split(":");
  const target = b.split(":");
  let common = 0;
  while (common < Math.min(source.length, target.length) - 1 && source[common] === target[common]) common += 1;
  const at = (parts, length) => parts.slice(0, length).join(":");
  // The end of a nested graph stands for its node.
  const here = at(source, common + 1);
  if (!model.transitions.has(`${here}>${at(target, common + 1)}`)) return false;
  for (let length = common + 2; length <= target.length; length += 1) {
    if (target[length - 1] === "__start__") continue;
    if (!model.transitions.has(`${at(target, length - 1)}:__start__>${at(target, length)}`)) return false;
  }
  for (let length = common + 2; length <= source.length; length += 1) {
    if (source[length - 1] === "__end__") continue;
    if (!model.transitions.has(`${at(source, length)}>${at(source, length - 1)}:__end__`)) return false;
  }
  return true;
}
