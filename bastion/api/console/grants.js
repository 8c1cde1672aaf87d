// Grants: which identity may do what a rule is about without asking, and until when.

import { get, path, post } from "./api.js";
import { add, fill, h } from "./dom.js";
import * as events from "./events.js";
import { may } from "./me.js";
import { ask, badge, choice, empty, given, head, load, more, names, say } from "./parts.js";
import { cell } from "./sessions.js";
import { clockTime, now, seconds, until, when } from "./times.js";

const SHOW = [["true", "In force"], ["", "All"]];

export function show(main, me) {
  const which = choice(SHOW, "true", { "aria-label": "Which", "data-search": "" });
  const list = h("div", { class: "list" });
  add(main, head("Grants", which), list);
  const reload = () =>
    load(list, "grants", () => get("/v1/grants", { live: which.value }), (found) => put(list, me, which.value, found, found.items, reload));
  which.addEventListener("change", reload);
  reload();
  return events.hear(({ kind }) => {
    if (kind === null || kind === "grant") reload();
  });
}

function put(list, me, live, found, items, reload) {
  const next = more(found.next, async () => {
    const rest = await get("/v1/grants", { live, cursor: found.next });
    put(list, me, live, rest, items.concat(rest.items), reload);
  });
  fill(list, items.length ? [table(items, me, reload), next]
    : empty("No grants", "Where a rule says ", h("code", {}, "grants: 30m"), ", an approver can let an identity through for that long."));
}

function table(items, me, reload) {
  return h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, ["Who", "Rule", "By", "Made", "Ends", ""].map((name) => h("th", { scope: "col" }, name || h("span", { class: "unseen" }, "Revoke"))))),
    h("tbody", {}, items.map((one) => h("tr", {},
      cell("Who", given(one.identity)),
      cell("Rule", given(one.rule, "mono"), one.request ? [" ", h("a", { class: "small", href: `#/approvals/${encodeURIComponent(one.request)}` }, "request")] : null),
      cell("By", names(one.by)),
      cell("Made", when(one.made)),
      cell("Ends", ends(one)),
      cell("", isLive(one) && may(me, "revoke") ? h("button", { type: "button", class: "danger", "data-entry": "", on: { click: () => revoke(one, reload) } }, "Revoke …") : null)))));
}

function isLive(one) {
  return one.live && seconds(one.ends) > now();
}

function ends(one) {
  if (one.ended) return [badge("ended"), " ", when(one.ended), one.why ? [": ", given(one.why)] : null];
  return [h("span", { class: isLive(one) ? "warn" : "dim" }, until(one.ends)), h("span", { class: "dim" }, ` · ${clockTime(one.ends)}`)];
}

function revoke(one, reload) {
  ask({
    title: "Revoke the grant",
    about: h("p", {}, given(one.identity), " has to ask again for rule ", given(one.rule, "mono"), ". What runs under the grant is ended at once."),
    label: "Why (the audit trail and the agent are told)",
    required: false,
    verb: "Revoke",
    tone: "danger",
    act: async (reason) => {
      await post(path("grants", one.id, "revoke"), reason ? { reason } : {});
      say("The grant is revoked.", { tone: "good" });
      await reload();
    },
  });
}
