// The console: who is there, which page is in view, and what changed. Pages are named after `#/`, so that the server
// needs to know nothing of them: a notice links to `/#/approvals/ID?tenant=TENANT`.

import { get } from "./api.js";
import * as approvals from "./approvals.js";
import * as audit from "./audit.js";
import { fill, h, icon } from "./dom.js";
import * as events from "./events.js";
import * as grants from "./grants.js";
import * as keys from "./keys.js";
import * as login from "./login.js";
import { corner, may } from "./me.js";
import { empty, failed, given, say } from "./parts.js";
import * as policies from "./policies.js";
import * as recordings from "./recordings.js";
import * as sessions from "./sessions.js";
import * as theme from "./theme.js";

const PAGES = [
  ["approvals", "Approvals", approvals],
  ["sessions", "Sessions", sessions],
  ["recordings", "Recordings", recordings],
  ["audit", "Audit", audit],
  ["policies", "Policies", policies],
  ["grants", "Grants", grants],
];
const RETURN = "bastion-return";

let me = null;
let leave = () => {};

async function start() {
  const main = document.getElementById("main");
  try {
    me = await get("/v1/me");
  } catch (error) {
    if (error.status === 401) showLogin(main);
    else fill(main, failed(error, () => location.reload()));
    return;
  }
  goBack();
  bar();
  keys.start((number) => {
    const page = permitted()[number];
    if (page) location.hash = `#/${page[0]}`;
  });
  addEventListener("hashchange", route);
  events.hear(changed);
  events.watch(connection);
  events.start();
  route();
  await countPending(true);
}

/** Where a login began, so that it ends there: the address after `#` does not pass through the issuer. */
function showLogin(main) {
  if (location.hash.length > 2 && !location.hash.startsWith("#/login")) sessionStorage.setItem(RETURN, location.hash);
  bar();
  login.show(main, place());
}

function goBack() {
  const hash = sessionStorage.getItem(RETURN);
  sessionStorage.removeItem(RETURN);
  if (hash?.startsWith("#/") && (location.hash.length < 3 || location.hash.startsWith("#/login"))) history.replaceState(null, "", hash);
}

function permitted() {
  return me ? PAGES.filter(([name]) => may(me, name)) : [];
}

function bar() {
  const links = permitted().map(([name, title]) =>
    h(
      "a",
      { href: `#/${name}`, "data-page": name },
      icon(name),
      h("span", {}, title),
      name === "approvals" ? h("span", { class: "count", id: "pending", hidden: true }) : null,
    ),
  );
  fill(
    document.getElementById("bar"),
    h("a", { class: "brand", href: "#/" }, "bastion"),
    links.length ? h("nav", { "aria-label": "Pages" }, links) : h("span", { class: "grow" }),
    h("div", { class: "corner" }, theme.button(), me ? corner(me) : null),
  );
}

/** The parts of the address's place, and the tenant that it is of, where it says so. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\//, "").split("?");
  return { parts: path.split("/").map(decode), tenant: new URLSearchParams(query).get("tenant") };
}

function route() {
  const { parts, tenant } = place();
  const [name, ...rest] = parts;
  const page = permitted().find(([known]) => known === (name || permitted()[0]?.[0]));
  const main = document.getElementById("main");
  if (page && tenant === null && main.dataset.page === page[0] && page[2].stays?.(rest)) return mark(page);
  leave();
  leave = () => {};
  keys.page({});
  main.className = "";
  main.dataset.page = page ? page[0] : "";
  if (!page || (tenant !== null && tenant !== me.tenant)) {
    fill(main, page ? elsewhere(tenant) : nothing(name));
    return mark(null);
  }
  fill(main);
  leave = page[2].show(main, me, rest) ?? (() => {});
  mark(page);
  scrollTo(0, 0);
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // no encoding of this console: shown as it is, found nowhere
  }
}

function elsewhere(tenant) {
  return empty("Of another tenant", "This is of tenant ", given(tenant), ", and you are logged in to ", given(me.tenant),
    ". Log out, and log in there.");
}

function nothing(name) {
  if (permitted().length === 0) {
    return empty("Nothing here for you", "You are logged in, and none of your groups has a role in this tenant.");
  }
  if (PAGES.some(([known]) => known === name)) return empty("Not permitted", "Your roles do not reach this page.");
  return empty("No such page", h("a", { href: "#/" }, "To the first one"));
}

function mark(page) {
  for (const link of document.querySelectorAll("#bar nav a")) {
    if (page && link.dataset.page === page[0]) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  title();
}

// -- what changed ---------------------------------------------------------------------------------------------------------

let pending = new Set();

function changed({ kind }) {
  if (kind === null || kind === "approval") countPending(false);
}

/** How many wait for a person; who asks anew is told to those who do not see it. */
async function countPending(first) {
  if (!may(me, "approvals")) return;
  let found;
  try {
    found = await get("/v1/approvals", { state: "pending", limit: 200 });
  } catch (error) {
    if (error.status === 401) location.reload();
    return; // the connection's own state is told already
  }
  const fresh = found.items.filter((one) => !pending.has(one.id));
  pending = new Set(found.items.map((one) => one.id));
  if (!first) {
    for (const one of fresh.slice(0, 3)) {
      say(`New request: ${one.identity} on ${one.target}: ${one.text || one.kind}`, { urgent: true });
    }
  }
  title();
}

function title() {
  const count = document.getElementById("pending");
  if (count) {
    count.hidden = pending.size === 0;
    count.textContent = String(pending.size);
    count.title = `${pending.size} waiting`;
  }
  const page = PAGES.find(([name]) => name === document.getElementById("main").dataset.page);
  document.title = `${pending.size ? `(${pending.size}) ` : ""}${page ? `${page[1]} · ` : ""}bastion`;
}

const PATIENCE = 1_500; // a stream that is back before is not told of
let lost = null;

function connection(state, wait) {
  const place = document.getElementById("state");
  clearTimeout(lost);
  if (state !== "lost") {
    if (place.hasChildNodes()) say("Connected again", { show: false });
    fill(place);
    return;
  }
  stillMe();
  const words = `Connection lost: what you see may be old. Trying again in ${wait} s.`;
  lost = setTimeout(() => fill(place, h("p", { class: "lost" }, h("span", { "aria-hidden": "true" }, "⚠ "), words)), PATIENCE);
}

/** A stream also ends because nobody is logged in any more. */
async function stillMe() {
  try {
    await get("/v1/me");
  } catch (error) {
    if (error.status === 401) location.reload();
  }
}

start();
