// The audit trail, searched. An event is shown as what it is about, and whole when it is opened.

import { get } from "./api.js";
import { add, fill, h } from "./dom.js";
import { badge, choice, empty, field, given, head, load, more } from "./parts.js";
import { cell } from "./sessions.js";
import { code } from "./shell.js";
import { midnight, when } from "./times.js";

const KINDS = `admission-refused admitted approval-requested approval-settled approval-voted audit-mended break-glass
  certificate-issued certificate-refused command-judged connection-refused
  events-dropped grant-made grant-revoked grant-used inventory-rejected inventory-reloaded line-ended login-accepted
  login-refused login-shell-asked person-acted policy-rejected policy-reloaded recording-mended request-refused revocations-rejected
  revoked session-ended`.split(/\s+/);
const COMMANDS = new Set(["text", "runs", "script", "question"]);
const HEAD = new Set(["kind", "time", "seq", "previous"]);

export function show(main) {
  const list = h("div", { class: "list" });
  const form = h("form", { class: "filters", role: "search" },
    field("Words", h("input", { name: "text", type: "search", "data-search": "", autocomplete: "off" })),
    field("Kind", choice([["", "Any"], ...KINDS.map((kind) => [kind, kind])], "", { name: "kind" })),
    field("Identity", h("input", { name: "identity", autocomplete: "off" })),
    field("Target", h("input", { name: "target", autocomplete: "off" })),
    field("Session", h("input", { name: "session", autocomplete: "off" })),
    field("From", h("input", { name: "since", type: "date" })),
    field("To (with that day)", h("input", { name: "until", type: "date" })),
    h("button", { type: "submit" }, "Search"));
  const search = () => {
    const wanted = Object.fromEntries(new FormData(form));
    wanted.since = midnight(wanted.since, 0);
    wanted.until = midnight(wanted.until, 1);
    return load(list, "events", () => get("/v1/audit", wanted), (found) => put(list, wanted, found, found.items));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  add(main, head("Audit"), form, list);
  search();
}

function put(list, wanted, found, items) {
  const next = more(found.next, async () => {
    const rest = await get("/v1/audit", { ...wanted, cursor: found.next });
    put(list, wanted, rest, items.concat(rest.items));
  });
  if (items.length) fill(list, table(items), next);
  else if (found.next) fill(list, empty("Nothing yet", "The newest part of the trail has none. The search can go on from there."), next);
  else fill(list, empty("No events", "None matches what was asked for."));
}

function table(items) {
  return h("table", { class: "rows audit" },
    h("thead", {}, h("tr", {}, ["When", "Event", "Who", "Where", "What"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, items.map((event) => h("tr", {},
      cell("When", when(event.time)),
      cell("Event", h("span", { class: "mono" }, given(event.kind)), event.effect ? [" ", badge(event.effect)] : null),
      cell("Who", event.identity || event.source ? given(event.identity ?? event.source) : "–"),
      cell("Where", event.target ? given(event.account ? `${event.account}@${event.target}` : event.target, "mono") : "–"),
      cell("What", what(event))))));
}

/** What an event says in a few words, where neither a command nor a reason does. */
const BRIEF = {
  __proto__: null,
  "admitted": (event) => `connection ${event.connection}`,
  "approval-settled": (event) => [event.state, event.people.length ? `by ${event.people.join(", ")}` : ""].join(" "),
  "approval-voted": (event) => `${event.person} ${event.approves ? "approves" : "denies"}${event.comment ? `: ${event.comment}` : ""}`,
  "grant-made": (event) => `${event.rule}, by ${event.by.join(", ")}`,
  "grant-revoked": (event) => `${event.rule}: ${event.why}`,
  "line-ended": (event) => `status ${event.status}`,
  "login-accepted": (event) => `certificate ${event.serial}`,
  "person-acted": (event) => [event.action, event.on, event.reason].filter(Boolean).join(" · "),
  "session-ended": (event) => [event.reason, Number.isInteger(event.status) ? `status ${event.status}` : ""].filter(Boolean).join(", "),
};

function what(event) {
  const text = event.runs ?? event.text;
  const about = BRIEF[event.kind]?.(event) ?? event.reason ?? event.problem ?? (event.problems ?? [])[0];
  return h("details", {},
    h("summary", { "data-entry": "" },
      text ? code(text, { escaped: Boolean(event.runs ? event.runs_escaped : event.text_escaped), block: false })
        : h("span", {}, about ? given(about) : `event ${event.seq}`)),
    h("dl", { class: "facts" }, Object.entries(event).filter(([key]) => !HEAD.has(key)).concat([["seq", event.seq], ["time", event.time], ["previous", event.previous]])
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => h("div", {}, h("dt", {}, given(key)), h("dd", {}, entry(key, value, event))))));
}

function entry(key, value, event) {
  if (COMMANDS.has(key) && typeof value === "string") return code(value, { escaped: Boolean(event[`${key}_escaped`]) });
  return given(typeof value === "string" ? value : JSON.stringify(value), "mono");
}
