// Light, dark, or what the system says; remembered by the browser.

import { signal } from "./signals.js";

const THEMES = ["system", "light", "dark"];

export const theme = signal(localStorage.getItem("streamgraph.theme") ?? "system");

function apply() {
  document.documentElement.dataset.theme = theme.value;
}

export function nextTheme() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  localStorage.setItem("streamgraph.theme", theme.value);
  apply();
}

apply();
