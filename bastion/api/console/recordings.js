// Recordings: the catalogue, filtered.

import { get } from "./api.js";
import { add, fill, h } from "./dom.js";
import * as events from "./events.js";
import { badge, choice, empty, field, given, head, load, more } from "./parts.js";
import * as recording from "./recording.js";
import { cell } from "./sessions.js";
import { code } from "./shell.js";
import { duration, when } from "./times.js";

const VERIFIED = [["", "Any"], ["true", "Verified"], ["false", "Not as recorded"], ["null", "Not verified yet"]];
const COLUMNS = ["Who", "Where", "What", "When", "Length", "Commands", "State"];

const known = new Map(); // sessions that were asked for, by id

export function show(main, me, [id]) {
  if (id) return recording.show(main, me, id);
  const list = h("div", { class: "list" });
  const view = { items: [], next: null };
  const form = h("form", { class: "filters", role: "search" },
    field("Identity", h("input", { name: "identity", "data-search": "", autocomplete: "off" })),
    field("Target", h("input", { name: "target", autocomplete: "off" })),
    field("State", choice(VERIFIED, "", { name: "verified" })));
  const put = () => draw(list, form, view, reload);
  const reload = (cursor = null) =>
    load(list, "recordings", () => withSessions(cursor), (found) => {
      view.items = cursor ? view.items.concat(found.items) : found.items;
      view.next = found.next;
      put();
    });
  form.addEventListener("input", put);
  form.addEventListener("submit", (event) => event.preventDefault());
  add(main, head("Recordings"), form, list);
  reload();
  return events.hear(({ kind }) => {
    if (kind === null || kind === "recording") reload();
  });
}

/** A page of the catalogue, each with what is known of its session. The two lists go by the same time, so that the
 * newest of one are among the newest of the other; of an older one the page of the recording itself tells. */
async function withSessions(cursor) {
  const [found, sessions] = await Promise.all([
    get("/v1/recordings", { limit: 200, cursor }),
    get("/v1/sessions", { limit: 200, live: "false" }),
  ]);
  for (const one of sessions.items) known.set(one.id, one);
  return { ...found, items: found.items.map((one) => ({ ...known.get(one.session), ...one })) };
}

/** The filter is over what has been loaded: the API gives the newest first, and more of them on demand. */
function draw(list, form, view, reload) {
  const wanted = Object.fromEntries(new FormData(form));
  const has = (value, part) => String(value ?? "").toLowerCase().includes(part.toLowerCase());
  const items = view.items.filter((one) => has(one.identity, wanted.identity) && has(one.target, wanted.target)
    && (wanted.verified === "" || String(one.whole ?? null) === wanted.verified));
  const rest = more(view.next, () => reload(view.next));
  if (view.items.length === 0) fill(list, empty("No recordings", "One appears here when its session is over."));
  else if (items.length === 0) fill(list, empty("None matches", `Of ${view.items.length} recordings that are loaded here.`), rest);
  else fill(list, table(items), rest);
}

function table(items) {
  return h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, items.map((one) => h("tr", {},
      cell("Who", h("a", { href: `#/recordings/${encodeURIComponent(one.session)}`, "data-entry": "" }, given(one.identity ?? one.session))),
      cell("Where", one.target ? given(`${one.account}@${one.target}`, "mono") : "–"),
      cell("What", one.command ? code(one.command, { escaped: one.escaped, block: false }) : h("em", {}, one.kind ?? "–")),
      cell("When", when(one.started)),
      cell("Length", `${duration(one.duration ?? 0)}, ${bytes(one.size)}`),
      cell("Commands", String(one.commands ?? "–")),
      cell("State", state(one))))));
}

export function state(one) {
  if (one.whole === true) return [badge("verified"), " ", h("span", { class: "dim" }, when(one.verified))];
  return badge(one.whole === false ? "changed" : "unverified");
}

export function bytes(size) {
  if (!Number.isFinite(size)) return "–";
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let unit = 0;
  let rest = size;
  while (rest >= 1024 && unit < 3) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit ? rest.toFixed(1) : rest} ${units[unit]}`;
}
