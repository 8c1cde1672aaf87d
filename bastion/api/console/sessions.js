// Sessions: who is on which target now, or was.

import { get } from "./api.js";
import { add, fill, h } from "./dom.js";
import * as events from "./events.js";
import * as live from "./live.js";
import { badge, choice, empty, given, head, load, more } from "./parts.js";
import { code } from "./shell.js";
import { duration, running, seconds, when } from "./times.js";

const SHOW = [["live", "Live"], ["all", "All"]];

export function show(main, me, [id]) {
  if (id) return live.show(main, me, id);
  const which = choice(SHOW, "live", { "aria-label": "Which", "data-search": "" });
  const list = h("div", { class: "list" });
  add(main, head("Sessions", which), list);
  let asked = 0;
  const reload = () => {
    const mine = ++asked;
    return load(list, "sessions", () => get("/v1/sessions", { live: which.value === "live" ? "true" : "" }), (found) => {
      if (mine === asked) put(list, found, found.items, which.value);
    });
  };
  which.addEventListener("change", reload);
  reload();
  return events.hear(({ kind }) => {
    if (kind === null || kind === "session") reload();
  });
}

function put(list, found, items, which) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  const next = more(found.next, async () => {
    const rest = await get("/v1/sessions", { live: which === "live" ? "true" : "", cursor: found.next });
    put(list, rest, items.concat(rest.items), which);
  });
  fill(list, items.length ? [table(items), next]
    : empty(which === "live" ? "Nobody is connected" : "No sessions yet", "A session appears here when it begins."));
  if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function table(items) {
  return h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, ["Who", "Where", "What", "Began", "State"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, items.map((one) => h("tr", {},
      cell("Who", h("a", { href: `#/sessions/${encodeURIComponent(one.id)}`, "data-entry": "", "data-id": one.id }, given(one.identity))),
      cell("Where", given(`${one.account}@${one.target}`, "mono")),
      cell("What", one.command ? code(one.command, { escaped: one.escaped, block: false }) : h("em", {}, one.kind)),
      cell("Began", when(one.started)),
      cell("State", state(one))))));
}

export function cell(name, ...content) {
  return h("td", { "data-name": name }, h("div", {}, content));
}

export function state(one) {
  if (!one.ended && one.ending) return [badge("ended", "being ended")];
  if (!one.ended) return [badge("live"), " ", h("span", { class: "dim" }, running(one.started))];
  const length = h("span", { class: "dim" }, ` after ${duration(seconds(one.ended) - seconds(one.started))}`);
  return [badge("ended", one.status === 0 || one.status === null ? "ended" : `status ${one.status}`), length];
}
