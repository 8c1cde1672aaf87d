// Times as people read them: relative, with the absolute one in the title, kept true while the page is open.
// The API's times are seconds since 1970 or RFC 3339 text; both are taken.

import { h } from "./dom.js";

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

export function seconds(value) {
  if (value === null || value === undefined) return null;
  const found = typeof value === "number" ? value : Date.parse(value) / 1000;
  return Number.isFinite(found) ? found : null;
}

let skew = 0; // seconds that this computer's clock is behind the bastion's, whose times these are

/** What the bastion's clock says, by the head of an answer; a few seconds are the way that it took. */
export function serverSays(date) {
  const found = (Date.parse(date ?? "") - Date.now()) / 1000;
  if (Number.isFinite(found)) skew = Math.abs(found) < 5 ? 0 : found;
}

export function now() {
  return Date.now() / 1000 + skew;
}

/** `2 h 5 min`: the two largest units of a duration. */
export function duration(length) {
  let rest = Math.max(0, Math.round(length));
  const parts = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${name}`);
    else if (parts.length) break;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** The wall clock here, with its zone: `2026-11-28 14:05:09 UTC+1`. */
export function absolute(value) {
  const date = new Date(seconds(value) * 1000);
  const zone = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(date);
  return `${day(date)} ${clock(date)} ${zone.find((part) => part.type === "timeZoneName")?.value ?? ""}`.trim();
}

function day(date) {
  return [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
}

function clock(date) {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

function two(number) {
  return String(number).padStart(2, "0");
}

/** `5 min ago`, `in 5 min`, the day when it is long past; keeps itself true. */
export function when(value) {
  const at = seconds(value);
  if (at === null) return h("span", { class: "dim" }, "–");
  const element = h("time", { datetime: new Date(at * 1000).toISOString(), title: absolute(at) });
  return ticking(element, () => relative(at));
}

export function relative(at) {
  const past = now() - at;
  if (Math.abs(past) < 2) return "now";
  if (past > 30 * 86400) return day(new Date(at * 1000));
  return past > 0 ? `${duration(past)} ago` : `in ${duration(-past)}`;
}

/** How long until a fixed end, with that end beside it; `over` once it has come. */
export function until(value, over = "over") {
  const at = seconds(value);
  const element = h("time", { datetime: new Date(at * 1000).toISOString(), title: absolute(at) });
  return ticking(element, () => (at <= now() ? over : `${duration(at - now())} left`));
}

/** How long since. */
export function running(value) {
  const at = seconds(value);
  const element = h("time", { datetime: new Date(at * 1000).toISOString(), title: absolute(at) });
  return ticking(element, () => duration(now() - at));
}

/** The time of day of a fixed moment; the day too, when it is another one. */
export function clockTime(value) {
  const date = new Date(seconds(value) * 1000);
  return day(date) === day(new Date()) ? clock(date) : `${day(date)} ${clock(date)}`;
}

/** When a day of a date field begins here, or one of the days after it, as the API reads times. */
export function midnight(text, later) {
  if (!text) return "";
  const [year, month, date] = text.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

/** `0:07`, `12:30`, `1:02:03`: a place in a recording. */
export function offset(value) {
  const whole = Math.floor(value);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const told = new Map();
const PATIENCE = 60; // seconds that an element has to come into the page

/** An element whose text is `say()`, and stays so while it is in the page. */
function ticking(element, say) {
  element.textContent = say();
  told.set(element, { say, wait: PATIENCE });
  return element;
}

setInterval(() => {
  for (const [element, entry] of told) {
    if (element.isConnected) {
      entry.wait = 0;
      const text = entry.say();
      if (element.textContent !== text) element.textContent = text;
    } else if (entry.wait > 0) {
      entry.wait -= 1;
    } else {
      told.delete(element);
    }
  }
}, 1000);
