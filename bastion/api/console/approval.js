// One request: everything that a person needs to decide on it, and the decision.
//
// What will run is shown first and whole. It is the printed text, which is what the approval is bound to; what the
// client wrote is told beside it where it differs, and never runs.

import { get, path, post } from "./api.js";
import { findings } from "./attack.js";
import { fill, h } from "./dom.js";
import { badge, buttons, comment, dialog, facts, field, given, names, say, submitByKey } from "./parts.js";
import { code } from "./shell.js";
import { absolute, clockTime, duration, now, seconds, until, when } from "./times.js";

export function fetch(id) {
  return get(path("approvals", id));
}

export function show(place, one, me, again) {
  const waits = one.state === "pending";
  const scrolled = place.querySelector("pre.code")?.scrollTop ?? 0;
  fill(
    place,
    h("div", { class: "head" }, h("h2", {}, given(one.identity), h("span", { class: "dim" }, " on "),
      given(`${one.account}@${one.target}`, "mono")), badge(one.state)),
    waits ? deadline(one) : settled(one),
    runs(one),
    waits ? decision(one, again) : null,
    h("div", { class: "columns" }, why(one), who(one)),
    votes(one),
    soFar(one),
  );
  const block = place.querySelector("pre.code");
  if (block) block.scrollTop = scrolled;
}

function deadline(one) {
  const length = seconds(one.ends) - seconds(one.asked);
  return h("p", { class: "deadline" },
    h("progress", { max: length, value: Math.max(0, seconds(one.ends) - now()), "aria-hidden": "true" }),
    h("span", { class: "warn" }, until(one.ends, "the time is over")),
    h("span", { class: "dim" }, ` · ends at ${clockTime(one.ends)}, asked `, when(one.asked)));
}

function settled(one) {
  return h("p", { class: "deadline dim" }, "Asked ", when(one.asked), one.settled ? [", settled ", when(one.settled)] : null,
    one.why && one.state !== "denied" ? [": ", given(one.why)] : "."); // why it was denied is told with the votes
}

const RAN = { __proto__: null, pending: "What will run", approved: "What will run", used: "What ran" };

function runs(one) {
  const title = RAN[one.state] ?? "What did not run";
  const differs = one.written && one.written !== one.text;
  return h("section", { class: "runs" },
    h("h3", {}, title),
    one.text ? code(one.text, { escaped: one.escaped, label: title }) : shell(one),
    one.text ? h("p", { class: "dim small" }, size(one.text), one.kind === "line" ? ", a line of a shell that is open" : "",
      one.directory ? [", in ", given(one.directory, "mono")] : "") : null,
    takes(one),
    differs ? h("details", {}, h("summary", {}, "As the client wrote it"),
      h("p", { class: "dim small" }, "This is what was sent. It was read, and what stands above was printed from it. It never runs."),
      code(one.written, { escaped: one.written_escaped })) : null);
}

function takes(one) {
  return one.takes_commands ? h("p", { class: "notice bad" }, h("strong", {}, "It takes commands itself: "),
    "what is typed or sent into it nobody judges.") : null;
}

function shell(one) {
  return h("p", { class: "notice" }, one.kind === "shell"
    ? "A whole interactive shell. What is typed in it is not known yet."
    : `A whole session (${one.kind}), with no text to show.`);
}

function size(text) {
  const count = text.split("\n").length;
  return `${text.length} characters${count > 1 ? ` in ${count} lines` : ""}`;
}

/** Why there is no yes to what can not be read whole; null when it can. */
function unseen(one) {
  return one.cut ? "It is longer than what is shown of it. Nobody approves here what they can not read whole." : null;
}

function decision(one, again) {
  const press = (what) => () => act(what, one, again);
  const hint = (key) => h("kbd", { "aria-hidden": "true" }, key);
  return h("section", { class: "decision", "aria-label": "Decision" },
    one.may_vote || one.may_deny ? h("div", { class: "buttons start" },
      one.may_vote && !unseen(one) ? h("button", { type: "button", class: "primary", on: { click: press("approve") } }, "Approve once", hint("a")) : null,
      one.may_vote && one.grants && !unseen(one) ? h("button", { type: "button", on: { click: press("grant") } },
        `Approve for ${duration(one.grants)}`, hint("g")) : null,
      one.may_deny ? h("button", { type: "button", class: "danger", on: { click: press("deny") } }, "Deny", hint("d")) : null) : null,
    unseen(one) ? h("p", { class: "notice bad" }, unseen(one)) : null,
    one.may_vote ? null : h("p", { class: "notice" }, h("strong", {}, "You may not approve this: "), given(one.why_not ?? "")));
}

function why(one) {
  return h("section", {}, h("h3", {}, "Why it waits"), facts([
    ["Rule", given(one.rule, "mono")],
    ["Reason", one.reason ? given(one.reason) : null],
    ["Found", findings(one.categories, one.techniques)],
    ["Owner", one.owners?.length ? ["the agent is ", names(one.owners), "’s, who may not vote"] : null],
    ["Takes", one.by?.length ? h("ul", { class: "plain" }, one.by.map(clause)) : null],
    ["If nobody answers", one.mode === "return" ? "the agent was sent away, and asks again" : "it is refused at the end of the time"],
    ["Grant", one.grants ? `this rule, this identity, for ${duration(one.grants)}` : "once only"],
    ["Policy", h("span", { class: "mono", title: one.policy }, given(brief(one.policy)))],
  ]));
}

function clause({ groups, count }) {
  return h("li", {}, count > 1 ? `${count} different people of ` : "one person of ", h("strong", {}, names(groups)));
}

export function brief(version) {
  return String(version).replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1…");
}

function who(one) {
  return h("section", {}, h("h3", {}, "Who asks"), facts([
    ["Identity", given(one.identity)],
    ["Principals", names(one.principals)],
    ["Groups", names(one.groups)],
    ["Tenant", given(one.tenant)],
    ["From", one.source ? given(one.source, "mono") : null],
    ["Certificate", one.serial ? given(one.serial, "mono") : null],
    ["Target", given(one.target, "mono")],
    ["Account", given(one.account, "mono")],
    ["Session", one.session ? h("a", { href: `#/sessions/${encodeURIComponent(one.session)}`, class: "mono" }, given(one.session)) : null],
    ["Request", given(one.id, "mono")],
  ]));
}

function votes(one) {
  return h("section", {}, h("h3", {}, "Votes"), one.votes?.length
    ? h("ul", { class: "votes" }, one.votes.map((vote) => h("li", {},
      badge(vote.approves ? "approved" : "denied", vote.approves ? "approves" : "denies"), " ", h("strong", {}, given(vote.person)), " ",
      h("span", { class: "dim" }, when(vote.at), vote.grant ? ", for a time" : ""), vote.comment ? comment(vote.comment) : null)))
    : h("p", { class: "dim" }, "None yet."),
    one.state === "pending" && one.votes?.length && one.missing ? h("p", { class: "dim" }, `${one.missing} more ${one.missing > 1 ? "people have" : "person has"} to approve.`) : null);
}

/** The commands of this session before this one, as the client wrote them. */
function soFar(one) {
  const past = one.past ?? [];
  return h("section", {}, h("h3", {}, "This session so far"), past.length
    ? h("ol", { class: "so-far" }, past.map((command) => h("li", {},
      h("span", { class: "dim small" }, when(command.time)), command.effect ? badge(command.effect) : null,
      command.text ? code(command.text, { escaped: true, block: false }) : h("em", {}, given(command.request)),
      h("span", { class: "dim small" }, given(command.rule)))))
    : h("p", { class: "dim" }, one.past_whole === false ? "The audit trail could not be searched now." : "This is the first thing it asks for."),
    past.length && one.past_whole === false ? h("p", { class: "dim small" }, "There is more: see the audit trail.") : null);
}

// -- the decision ----------------------------------------------------------------------------------------------------------

const WORDS = {
  approve: { title: "Approve once", verb: "Approve", tone: "primary", done: "approved" },
  grant: { title: "Approve for a time", verb: "Approve", tone: "primary", done: "approved" },
  deny: { title: "Deny", verb: "Deny", tone: "danger", done: "denied" },
};

/** Ask once more, with what it is about in view, and send it. */
export function act(what, one, again) {
  if (one.state !== "pending") return say("This request is settled already.");
  if (what === "deny" ? !one.may_deny : !one.may_vote) return say(one.why_not ?? "You may not vote here.", { tone: "bad" });
  if (what !== "deny" && unseen(one)) return say(unseen(one), { tone: "bad" });
  if (what === "grant" && !one.grants) return say("This rule is approved for once: its policy offers no grants.");
  return dialog(WORDS[what].title, (close) => form(what, one, again, close), "wide");
}

function form(what, one, again, close) {
  const words = WORDS[what];
  const input = h("textarea", { rows: "2", maxlength: "2000", "data-first": what === "deny" });
  const trouble = h("div", { class: "trouble", role: "alert" });
  const go = h("button", { type: "submit", class: words.tone, "data-first": what !== "deny" }, words.verb);
  const submit = async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      const body = { comment: input.value.trim(), ...(what === "grant" ? { grant: true } : {}) };
      const found = await post(path("approvals", one.id, what === "deny" ? "deny" : "approve"), body);
      close();
      const left = found?.state === "pending" ? "your vote counts; others are missing" : words.done;
      say(`${one.identity} on ${one.target}: ${left}`, { tone: what === "deny" ? "" : "good" });
      await again();
    } catch (error) {
      fill(trouble, error.message);
      go.disabled = false;
    }
  };
  input.addEventListener("keydown", submitByKey);
  return h("form", { on: { submit } },
    h("p", {}, given(one.identity), " on ", given(`${one.account}@${one.target}`, "mono"), ":"),
    one.text ? code(one.text, { escaped: one.escaped }) : shell(one),
    takes(one),
    what === "grant" ? h("p", { class: "notice" }, "The rule ", given(one.rule, "mono"), " then lets ", given(one.identity),
      ` through, for every command that it is about, until ${absolute(now() + one.grants)}.`) : null,
    field(what === "deny" ? "Why (the agent reads it)" : "Comment (may stay empty)", input),
    trouble,
    buttons(go, close));
}
