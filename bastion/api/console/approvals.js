// Approvals: who waits, and the one that is looked at beside the list (on a phone, in its place). The list keeps itself
// true; the one in view is never changed for another by what arrives.

import { get } from "./api.js";
import * as approval from "./approval.js";
import { add, fill, h } from "./dom.js";
import * as events from "./events.js";
import * as keys from "./keys.js";
import { badge, choice, empty, given, head, load, more } from "./parts.js";
import { code } from "./shell.js";
import { until, when } from "./times.js";

const STATES = [["pending", "Waiting"], ["", "All"], ["approved", "Approved"], ["used", "Ran"], ["denied", "Denied"],
  ["expired", "Expired"], ["withdrawn", "Withdrawn"], ["ended", "Ended"]];

let view = null;

/** A change of the address inside this page: another request is looked at, the list stays. */
export function stays([id]) {
  if (!view) return false;
  view.select(id ?? null);
  return true;
}

export function show(main, me, [id]) {
  const list = h("div", { class: "list" });
  const detail = h("div", { class: "request" });
  const state = choice(STATES, "pending", { "aria-label": "State", "data-search": "" });
  add(main, h("div", { class: "approvals" },
    h("section", { class: "side", "aria-label": "Requests" }, head("Approvals", state), list),
    h("section", { class: "detail", "aria-label": "Request" },
      h("a", { class: "back", href: "#/approvals" }, "← All requests"), detail)));
  view = new View(main, list, detail, state, me);
  view.select(id ?? null);
  view.reload();
  const deaf = events.hear(({ kind, id: changed }) => {
    if (kind !== null && kind !== "approval") return;
    view.reload();
    if (view.selected && (!changed || changed === view.selected)) view.refresh();
  });
  state.addEventListener("change", () => view.reload());
  keys.page({
    a: [() => view.act("approve"), "approve the request in view"],
    g: [() => view.act("grant"), "approve it for a time, where its rule grants that"],
    d: [() => view.act("deny"), "deny it"],
  });
  return () => {
    deaf();
    view = null;
  };
}

class View {
  constructor(main, list, detail, state, me) {
    Object.assign(this, { main, list, detail, state, me, selected: null, shown: null, items: [], asked: 0 });
  }

  async reload() {
    const asked = ++this.asked; // of several answers under way the last one asked for counts
    await load(this.list, "requests", () => get("/v1/approvals", { state: this.state.value, limit: 200 }), (found) => {
      if (asked === this.asked) this.put(found, found.items);
    });
  }

  put(found, items) {
    this.items = items;
    this.main.classList.toggle("has-none", items.length === 0 && this.state.value === "pending");
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    const next = more(found.next, async () => {
      const rest = await get("/v1/approvals", { state: this.state.value, limit: 200, cursor: found.next });
      this.put(rest, this.items.concat(rest.items));
    });
    fill(this.list, items.length ? [h("ul", { class: "cards" }, items.map((one) => h("li", {}, card(one)))), next]
      : this.nothing());
    this.mark();
    if (focused) this.list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }

  nothing() {
    if (this.state.value !== "pending") return empty("None", "No request is in this state.");
    return empty("Nothing waits for you", "A new request appears here by itself.");
  }

  select(id) {
    this.main.classList.toggle("has-detail", id !== null);
    if (id === this.selected && this.detail.hasChildNodes()) return;
    this.selected = id;
    this.shown = null;
    this.mark();
    if (id === null) {
      fill(this.detail, empty("No request chosen", h("kbd", {}, "j"), " and ", h("kbd", {}, "k"), " go through the list, ",
        h("kbd", {}, "?"), " tells all keys."));
      return;
    }
    fill(this.detail);
    this.refresh();
  }

  refresh() {
    const id = this.selected;
    return load(this.detail, "the request", () => approval.fetch(id), (found) => {
      if (id !== this.selected) return;
      this.shown = found;
      approval.show(this.detail, found, this.me, () => this.refresh());
    });
  }

  act(what) {
    if (this.shown) approval.act(what, this.shown, () => this.refresh());
  }

  mark() {
    for (const entry of this.list.querySelectorAll("[data-id]")) {
      if (entry.dataset.id === this.selected) entry.setAttribute("aria-current", "true");
      else entry.removeAttribute("aria-current");
    }
  }
}

function card(one) {
  const waits = one.state === "pending";
  return h("a", { class: "card", href: `#/approvals/${encodeURIComponent(one.id)}`, "data-entry": "follow", "data-id": one.id },
    h("span", { class: "card-line" }, one.text ? code(one.text, { escaped: one.escaped, block: false }) : whole(one.kind)),
    h("span", { class: "card-line dim" }, given(one.identity), " → ", given(`${one.account}@${one.target}`, "mono")),
    h("span", { class: "card-line apart" },
      waits ? h("span", { class: "warn" }, until(one.ends)) : [badge(one.state), " ", when(one.settled ?? one.asked)],
      h("span", { class: "dim" }, given(one.rule))));
}

function whole(kind) {
  return h("em", {}, kind === "shell" ? "a whole shell" : kind);
}
