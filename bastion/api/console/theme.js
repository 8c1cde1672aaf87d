// Light, dark, or as the system says; kept in this browser.

import { h } from "./dom.js";

const KEY = "bastion-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };
const SIGNS = { system: "◐", light: "○", dark: "●" };

export function current() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept in NEXT ? kept : "system";
  } catch {
    return "system"; // storage is forbidden here: nothing is kept
  }
}

export function use(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage is forbidden here: the choice holds for this page.
  }
}

/** The switch. */
export function button() {
  const element = h("button", { type: "button", class: "quiet theme" });
  const show = () => {
    const theme = current();
    element.textContent = `${SIGNS[theme]} ${theme}`;
    element.title = `Colours: ${theme}. Press for ${NEXT[theme]}.`;
    element.setAttribute("aria-label", `Colours: ${theme}`);
  };
  element.addEventListener("click", () => {
    use(NEXT[current()]);
    show();
  });
  show();
  return element;
}

use(current());
