// Elements, made one by one. This is the only way into the page: text becomes text nodes, with what is hidden in it
// written as escapes (visible.js), and no text is ever read as markup.
//
// `h` refuses attributes that are code (on…, style) and addresses that leave this origin, so that a mistake in a page
// shows as an error and not as a hole.

import { escapedRuns, runs } from "./visible.js";

const SVG = "http://www.w3.org/2000/svg";
const PLAIN = /^[a-z][a-z-]*$/;
const BIG = 400; // hidden characters of one text that get an element each; a text of many gets one for each run

/** An element: `h("p", {class: "dim", on: {click}}, "text", child, [more], null)`. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) set(element, key, value);
  return add(element, children);
}

/** Add children: text, nodes, lists of them; null, undefined and false are nothing. */
export function add(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : text(String(child)));
  }
  return element;
}

/** In place of all that is in it. */
export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

/** A text as nodes, its hidden characters as escapes with a style and a title of their own. */
export function text(value) {
  return nodes(runs(value));
}

/** A text in which the API wrote the escapes. */
export function escapedText(value) {
  return nodes(escapedRuns(value));
}

/** What several people wrote in lines: line ends stay, all else as in `text`. */
export function lines(value) {
  const whole = document.createDocumentFragment();
  String(value).split("\n").forEach((line, number) => {
    if (number) whole.append(document.createElement("br"));
    whole.append(text(line));
  });
  return whole;
}

function nodes(pieces) {
  const whole = document.createDocumentFragment();
  const many = pieces.length > BIG;
  let gathered = "";
  for (const [run, name] of pieces) {
    if (name === null) {
      if (gathered) whole.append(mark(gathered, "hidden characters", true));
      gathered = "";
      whole.append(document.createTextNode(run));
    } else if (many) {
      gathered += run;
    } else {
      whole.append(mark(run, name));
    }
  }
  if (gathered) whole.append(mark(gathered, "hidden characters", true));
  return whole;
}

function mark(run, name, several = false) {
  const span = document.createElement("span");
  span.className = several ? "hidden-char several" : "hidden-char";
  span.title = name;
  span.textContent = run;
  return span;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key === "on") {
    for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  } else if (key === "value") {
    element.value = value;
  } else if (!PLAIN.test(key) || key.startsWith("on") || key === "style") {
    throw new Error(`an element can not be given ${key}`);
  } else if ((key === "href" || key === "src" || key === "action") && !isOwn(String(value))) {
    throw new Error("a link can not leave this origin");
  } else {
    element.setAttribute(key, value === true ? "" : String(value));
  }
}

function isOwn(address) {
  return address.startsWith("#") || new URL(address, location.href).origin === location.origin;
}

const ICONS = {
  approvals: "M3 8.5l3.2 3.2L13 4.8",
  sessions: "M2 3h12v10H2zM4.5 6l2.2 2-2.2 2M8.5 10h3",
  recordings: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11zM6.8 5.8l3.4 2.2-3.4 2.2z",
  audit: "M3 3.5h10M3 6.5h10M3 9.5h10M3 12.5h6",
  policies: "M8 2l5 2v4c0 3-2 5-5 6c-3-1-5-3-5-6V4z",
  grants: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11zM8 5v3.2l2.2 1.5",
};

/** A small drawing, for sighted people only. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["viewBox", "0 0 16 16"], ["aria-hidden", "true"], ["class", "icon"]]) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
