// One session: facts, the terminal that follows it while it lives, and the way to end it.

import { get, path, post } from "./api.js";
import { add, fill, h } from "./dom.js";
import * as events from "./events.js";
import { may } from "./me.js";
import { ask, badge, empty, facts, given, head, load, names, say } from "./parts.js";
import { state } from "./sessions.js";
import { code } from "./shell.js";
import { follow } from "./terminal.js";
import { when } from "./times.js";

export function show(main, me, id) {
  const place = h("div", {});
  const screen = h("div", { class: "screen" });
  const told = h("p", { class: "dim small", role: "status" });
  let ended = null;
  let following = null;
  let left = false;
  add(main, h("a", { class: "back", href: "#/sessions" }, "← All sessions"), place, told, screen);
  const reload = () =>
    load(place, "the session", () => get(path("sessions", id)), (one) => {
      fill(place, about(one, me));
      if (ended === null) begin(one);
      else if (one.ended) following?.end();
      ended = Boolean(one.ended);
    });
  const begin = async (one) => {
    if (one.ended) fill(screen, past(one, me));
    else if (!may(me, "follow")) fill(screen, empty("Not shown", "Auditors and operators may follow what is on the screen."));
    else following = await follow(screen, path("sessions", id, "live"), { told: (words) => fill(told, words), lost: reload, home: one.instance });
    if (left) following?.close();
  };
  reload();
  const deaf = events.hear(({ kind, id: changed }) => {
    if (kind === null || (kind === "session" && (!changed || changed === id))) reload();
  });
  return () => {
    deaf();
    left = true;
    following?.close();
  };
}

function past(one, me) {
  if (!may(me, "recordings") || one.recorded === false) return null;
  return h("p", {}, h("a", { href: `#/recordings/${encodeURIComponent(one.id)}` }, "Play its recording"));
}

function about(one, me) {
  const end = () =>
    ask({
      title: "Terminate the session",
      about: h("p", {}, given(one.identity), " on ", given(`${one.account}@${one.target}`, "mono"),
        ". What runs in it is ended at once."),
      label: "Why (the audit trail and the agent are told)",
      required: true,
      verb: "Terminate",
      tone: "danger",
      act: async (reason) => {
        await post(path("sessions", one.id, "terminate"), { reason });
        say("The session is being ended.");
      },
    });
  return [
    head([given(one.identity), h("span", { class: "dim" }, " on "), given(`${one.account}@${one.target}`, "mono")],
      one.ended ? badge("ended") : badge("live"),
      !one.ended && !one.ending && may(me, "operate") ? h("button", { type: "button", class: "danger", on: { click: end } }, "Terminate …") : null),
    one.command ? code(one.command, { escaped: one.escaped, label: "Command" }) : null,
    facts([
      ["State", state(one)],
      ["Began", when(one.started)],
      ["Ended", one.ended ? when(one.ended) : null],
      ["Why", one.reason ? given(one.reason) : null],
      ["Kind", one.kind],
      ["Principals", names(one.principals)],
      ["Certificate", one.serial ? given(one.serial, "mono") : null],
      ["From", one.source ? given(one.source, "mono") : null],
      ["Session", given(one.id, "mono")],
    ], "across"),
  ];
}
