// The keyboard. Letters act when nobody is typing, on what the page in view offers; `?` tells all of them.
//
// A page gives its keys with `page({key: [action, words]})`. Lists move with j and k by focus alone, so that what is
// chosen is what is seen to be chosen.

import { h } from "./dom.js";
import { dialog } from "./parts.js";

const EVERYWHERE = [
  ["j / k", "next / previous in the list"],
  ["Enter", "open what has the focus"],
  ["/", "to the search or filter"],
  ["1 … 6", "to a page, as they stand in the bar"],
  ["Esc", "close a dialog; leave a field"],
  ["?", "this list"],
];

// Where list and what is looked at stand beside each other, moving in the list also shows.
const WIDE = matchMedia("(min-width: 60.01rem)");

let actions = {};

/** The keys of the page in view, in place of those of the page before. */
export function page(keys) {
  actions = keys;
}

export function start(go) {
  document.addEventListener("keydown", (event) => press(event, go));
}

function press(event, go) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // A dialog that was closed a moment ago may still have the focus: the key is meant for the page.
  const target = event.target.closest("dialog:not([open])") ? document.body : event.target;
  if (document.querySelector("dialog[open]") || target.closest(".ap-wrapper")) return;
  if (isTyping(target)) {
    if (event.key === "Escape") target.blur();
    return;
  }
  const act = action(event.key, go);
  if (!act) return;
  event.preventDefault();
  act();
}

function action(key, go) {
  if (key in actions) return actions[key][0];
  if (key === "j" || key === "k") return () => move(key === "j" ? 1 : -1);
  if (key === "/") return toSearch;
  if (key === "?") return help;
  if (/^[1-9]$/.test(key)) return () => go(Number(key) - 1);
  return null;
}

/** What stands there is marked, so that what is typed takes its place. */
function toSearch() {
  const field = document.querySelector("[data-search]");
  field?.focus();
  field?.select?.();
}

function isTyping(element) {
  return element.matches("input:not([type=checkbox], [type=radio], [type=button]), textarea, select");
}

/** The focus to the next entry of the page's list. */
export function move(step) {
  const entries = [...document.querySelectorAll("[data-entry]")].filter((entry) => entry.offsetParent !== null);
  if (entries.length === 0) return;
  const focused = entries.findIndex((entry) => entry.contains(document.activeElement));
  const chosen = focused >= 0 ? focused : entries.findIndex((entry) => entry.getAttribute("aria-current") === "true");
  const next = chosen < 0 ? (step > 0 ? 0 : entries.length - 1) : chosen + step;
  const entry = entries[Math.max(0, Math.min(next, entries.length - 1))];
  entry.focus();
  entry.scrollIntoView({ block: "nearest" });
  if (entry.dataset.entry === "follow" && WIDE.matches) entry.click();
}

function help() {
  const here = Object.entries(actions).map(([key, [, words]]) => [key, words]);
  const rows = (list) =>
    list.map(([key, words]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)));
  dialog("Keys", (close) => [
    here.length ? [h("h3", {}, "On this page"), h("dl", { class: "keys" }, rows(here))] : null,
    h("h3", {}, "Everywhere"),
    h("dl", { class: "keys" }, rows(EVERYWHERE)),
    h("div", { class: "buttons" }, h("button", { type: "button", "data-first": "", on: { click: close } }, "Close")),
  ]);
}
