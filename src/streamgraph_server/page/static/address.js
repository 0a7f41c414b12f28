// The part of the page's address behind "#": which graph, thread, run and moment are shown, so that a link leads there.

const KEYS = ["graph", "thread", "run", "at"];

export function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const found = {};
  for (const key of KEYS) if (given.get(key)) found[key] = given.get(key);
  if (found.at !== undefined) found.at = /^\d{1,9}$/.test(found.at) ? Number(found.at) : undefined;
  return found;
}

export function write(place) {
  const made = new URLSearchParams();
  for (const key of KEYS) if (place[key] !== null && place[key] !== undefined && place[key] !== "") made.set(key, place[key]);
  const hash = `#${made}`;
  if (location.hash !== hash) history.replaceState(null, "", hash);
}
