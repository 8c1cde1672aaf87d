// One recording: the player, and its commands to jump by.

import { get, getText, path, post } from "./api.js";
import { BadRecording, read } from "./asciicast.js";
import { add, fill, h } from "./dom.js";
import { badge, empty, facts, failed, given, head, load, names, say } from "./parts.js";
import { bytes, state } from "./recordings.js";
import { code } from "./shell.js";
import { play } from "./terminal.js";
import { duration, offset, when } from "./times.js";

const MOST = 32 << 20; // characters that are loaded into a page
const BEFORE = 0.001; // seconds before a marker that a jump goes to, so that its command's output is all to come

export function show(main, me, id) {
  const place = h("div", {});
  const screen = h("div", { class: "screen" });
  const list = h("section", { class: "commands", "aria-label": "Commands" });
  const leaving = new AbortController();
  const life = { signal: leaving.signal, player: null, timer: null };
  add(main, h("a", { class: "back", href: "#/recordings" }, "← All recordings"), place,
    h("div", { class: "replay" }, screen, list));
  const reload = () => load(place, "the recording", () => both(id), (one) => fill(place, about(one, reload)));
  reload();
  start(id, screen, list, life);
  return () => {
    leaving.abort();
    clearInterval(life.timer);
    life.player?.dispose();
  };
}

/** The catalogue's entry, with what is known of its session. */
async function both(id) {
  const [entry, session] = await Promise.all([get(path("recordings", id)), get(path("sessions", id)).catch(unknown)]);
  return { ...session, ...entry };
}

/** Sessions may be forgotten before their recordings. */
function unknown(error) {
  if (error.status === 404) return {};
  throw error;
}

async function start(id, screen, list, life) {
  const progress = h("p", { class: "loading", role: "status" }, "Loading the recording …");
  fill(screen, progress);
  try {
    const told = (size) => fill(progress, `Loading the recording … ${bytes(size)}`);
    const found = read(await getText(path("recordings", id, "cast"), MOST, told, life.signal));
    if (life.signal.aborted) return;
    life.player = await play(screen, found);
    commands(list, found, life);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 0) fill(screen, empty("Not played", error.message, ": ", h("code", {}, `bastion recordings play ${id}`)));
    else if (error instanceof BadRecording) fill(screen, empty("It can not be read", error.message));
    else fill(screen, failed(error, () => start(id, screen, list, life)));
  }
}

function about(one, reload) {
  const verify = async (event) => {
    event.currentTarget.disabled = true;
    try {
      const found = await post(path("recordings", one.session, "verify"));
      say(found.whole ? "It is as it was recorded." : `Not verified: ${found.why}`, { urgent: !found.whole, tone: found.whole ? "good" : "bad" });
    } catch (error) {
      say(`Not verified: ${error.message}`, { urgent: true, tone: "bad" });
    }
    await reload();
  };
  return [
    head([given(one.identity ?? one.session), one.target ? [h("span", { class: "dim" }, " on "), given(`${one.account}@${one.target}`, "mono")] : null],
      state(one), h("button", { type: "button", on: { click: verify } }, "Verify")),
    one.whole === false ? h("p", { class: "notice bad", role: "alert" },
      "Its digest is not the one in the audit trail: what is played here may not be what happened.") : null,
    one.command ? code(one.command, { escaped: one.escaped, label: "Command" }) : null,
    facts([
      ["Began", when(one.started)],
      ["Length", `${duration(one.duration ?? 0)}, ${bytes(one.size)}`],
      ["Principals", names(one.principals)],
      ["Session", given(one.session, "mono")],
      ["SHA-256", one.sha256 ? h("span", { title: one.sha256 }, given(`${one.sha256.slice(0, 16)}…`, "mono")) : null],
    ], "across"),
  ];
}

function commands(list, found, life) {
  const { player } = life;
  const entry = (one, number) => {
    const jump = () => player?.seek(Math.max(0, one.time - BEFORE)).then(() => follow(list, found.commands, life));
    return h("li", {}, h("button", { type: "button", "data-entry": "", class: "jump", "data-number": String(number), disabled: !player, on: { click: jump } },
      h("span", { class: "mono dim" }, offset(one.time)),
      one.text ? code(one.text, { block: false }) : h("em", {}, "refused"),
      one.effect ? h("span", { class: "verdict-line" }, badge(one.effect), h("span", { class: "dim small" }, given(one.rule))) : null));
  };
  fill(list, h("h3", {}, `Commands (${found.commands.length})`),
    found.torn ? h("p", { class: "notice" }, "The last line is cut short: the session may still be going on.") : null,
    found.commands.length ? h("ol", {}, found.commands.map(entry)) : h("p", { class: "dim" }, "None was marked."));
  if (player) life.timer = setInterval(() => follow(list, found.commands, life), 500);
}

/** Mark the command that is being played. */
function follow(list, all, life) {
  const at = life.player.getCurrentTime() ?? 0;
  let chosen = -1;
  for (let number = 0; number < all.length && all[number].time <= at + 2 * BEFORE; number += 1) chosen = number;
  for (const button of list.querySelectorAll("button.jump")) {
    const current = Number(button.dataset.number) === chosen;
    if (current !== (button.getAttribute("aria-current") === "true")) {
      if (current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}
