// What several pages are made of: signs for states, facts in pairs, what is shown while there is nothing to show,
// dialogs, and words that appear for a moment.

import { add, fill, h, icon, lines } from "./dom.js";
import { shown } from "./visible.js";

const SIGNS = {
  __proto__: null, // whatever a state is called, it has no sign that is not here
  pending: ["◷", "waiting", "warn"],
  approved: ["✓", "approved", "good"],
  used: ["✓", "approved, ran", "good"],
  denied: ["✕", "denied", "bad"],
  expired: ["⌛︎", "expired", "dim"],
  withdrawn: ["↩", "withdrawn", "dim"],
  ended: ["■", "ended", "dim"],
  allow: ["✓", "allowed", "good"],
  approve: ["◷", "needs approval", "warn"],
  deny: ["✕", "denied", "bad"],
  live: ["●", "live", "good"],
  verified: ["✓", "verified", "good"],
  changed: ["✕", "not as recorded", "bad"],
  unverified: ["?", "not verified yet", "dim"],
};

/** A state as a sign and a word, in colour for those who see it. */
export function badge(state, word = null) {
  const [sign, usual, tone] = SIGNS[state] ?? ["·", state, "dim"];
  return h("span", { class: `badge ${tone}` }, h("span", { "aria-hidden": "true" }, sign), " ", word ?? usual);
}

/** Names and values; a value that is null is left out. */
export function facts(pairs, extra = "") {
  return h(
    "dl",
    { class: `facts ${extra}`.trim() },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "" && !isEmpty(value))
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

function isEmpty(value) {
  return Array.isArray(value) && value.length === 0;
}

/** Something others wrote, kept apart from the words around it. */
export function given(text, extra = "") {
  return h("bdi", { class: `given ${extra}`.trim() }, String(text ?? ""));
}

/** A list of such, with commas. */
export function names(list) {
  return (list ?? []).map((one, number) => [number ? ", " : null, given(one)]);
}

export function comment(text) {
  return h("blockquote", {}, lines(text));
}

/** The head of a page. */
export function head(title, ...beside) {
  return h("div", { class: "head" }, h("h1", {}, title), beside);
}

export function empty(title, ...words) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), words.length ? h("p", {}, words) : null);
}

export function loading(what) {
  return h("p", { class: "loading", role: "status" }, `Loading ${what} …`);
}

/** What went wrong, and a way to try again. */
export function failed(error, again) {
  const words = { 0: "No connection", 401: "Logged out", 403: "Not permitted", 404: "Not found", 429: "Too many requests" };
  return h(
    "div",
    { class: "failed", role: "alert" },
    h("p", { class: "empty-title" }, words[error.status] ?? "That did not work"),
    h("p", {}, error.message),
    again ? h("button", { type: "button", on: { click: again } }, "Try again") : null,
  );
}

const AGAIN = 3_000;
const PASSING = new Set([0, 429, 500, 502, 503, 504]);

/** Load into `place` and show; an error is shown with a way to try again. Where something is shown already and the
 * trouble may pass, that stays and is loaded again in a moment. */
export async function load(place, what, get, show) {
  if (!place.hasChildNodes()) fill(place, loading(what));
  try {
    show(await get());
    place.dataset.loaded = "";
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === undefined) console.error(error); // a fault of this console, for its author
    const again = () => load(place, what, get, show);
    if ("loaded" in place.dataset && PASSING.has(error.status)) {
      setTimeout(() => place.isConnected && again(), AGAIN);
    } else {
      delete place.dataset.loaded;
      fill(place, failed(error, again));
    }
  }
}

/** A field with its label, and what helps to fill it. */
export function field(label, input, hint = null) {
  input.id ||= `f${(field.count = (field.count ?? 0) + 1)}`;
  const about = hint ? h("small", { id: `${input.id}-hint` }, hint) : null;
  if (about) input.setAttribute("aria-describedby", about.id);
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input, about);
}

/** A choice of a few words. */
export function choice(options, value, attributes = {}) {
  const select = h(
    "select",
    attributes,
    options.map(([key, word]) => h("option", { value: key, selected: key === value }, word)),
  );
  select.value = value;
  return select;
}

/** A dialog; `content(close)` gives its nodes. Escape closes it, and the focus goes back to where it was. */
export function dialog(title, content, className = "") {
  const before = document.activeElement;
  const element = h("dialog", { class: className, "aria-labelledby": "dialog-title" });
  const close = () => element.close();
  add(element, h("h2", { id: "dialog-title" }, title), content(close));
  element.addEventListener("close", () => {
    element.remove();
    if (before?.isConnected) before.focus();
  });
  document.body.append(element);
  element.showModal();
  element.querySelector("[data-first]")?.focus();
  return element;
}

/** A question that takes words and does something: `act(text)` may throw a Problem, which is shown. */
export function ask({ title, about, label, required, verb, tone, act }) {
  return dialog(title, (close) => {
    const input = h("textarea", { rows: "3", maxlength: "2000", required, "data-first": "" });
    const trouble = h("div", { class: "trouble", role: "alert" });
    const go = h("button", { type: "submit", class: tone }, verb);
    const submit = async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        await act(input.value.trim());
        close();
      } catch (error) {
        fill(trouble, error.message);
        go.disabled = false;
      }
    };
    input.addEventListener("keydown", submitByKey);
    return h("form", { on: { submit } }, about, field(label, input), trouble, buttons(go, close));
  });
}

/** The last row of a dialog. */
export function buttons(go, close) {
  return h("div", { class: "buttons" }, h("button", { type: "button", on: { click: close } }, "Cancel"), go);
}

/** Ctrl-Enter (or Command-Enter) in a text of several lines sends its form. */
export function submitByKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.currentTarget.form.requestSubmit();
  }
}

/** Words for a moment, and for screen readers. `urgent` interrupts what those are saying. */
export function say(text, { urgent = false, show = true, tone = "" } = {}) {
  document.getElementById(urgent ? "alerted" : "said").textContent = shown(text);
  if (!show) return;
  const element = h("p", { class: `toast ${tone}`.trim() }, text);
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), 6_000);
}

/** The end of a list that has more. */
export function more(next, load) {
  if (!next) return null;
  const click = async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      await load();
    } catch (error) {
      say(`Not loaded: ${error.message}`, { tone: "bad" });
    }
    button.disabled = false;
  };
  return h("p", { class: "more" }, h("button", { type: "button", on: { click } }, "Show more"));
}

export { icon };
