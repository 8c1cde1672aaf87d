// The policy in force, how its last reload ended, and what it says of a command.

import { get, post } from "./api.js";
import { brief } from "./approval.js";
import { findings } from "./attack.js";
import { add, fill, h } from "./dom.js";
import * as events from "./events.js";
import { badge, empty, facts, field, given, head, load } from "./parts.js";
import { code } from "./shell.js";

export function show(main) {
  const place = h("div", {});
  add(main, head("Policies"), place, trial());
  const reload = () => load(place, "the policy", () => get("/v1/policies/current"), (found) => fill(place, current(found)));
  reload();
  return events.hear(({ kind }) => {
    if (kind === null || kind === "policy") reload();
  });
}

function current(found) {
  const rejected = found.problems.length > 0;
  return [
    rejected ? h("div", { class: "notice bad", role: "alert" },
      h("p", {}, h("strong", {}, "The last change was rejected. "), "The policy below stays in force until the files are mended."),
      h("ul", { class: "plain mono small" }, found.problems.map((problem) => h("li", {}, given(problem))))) : null,
    found.mode === "observe" ? h("p", { class: "notice bad" }, h("strong", {}, "Observe: "),
      "this policy denies nothing. It says what would be denied, and lets it through.") : null,
    facts([
      ["Version", given(found.version, "mono")],
      ["Last reload", rejected ? badge("deny", "rejected") : badge("allow", "taken")],
      ["Mode", found.mode],
      ["Default", badge(found.default, found.default)],
      ["Undecidable", badge(found.undecidable, found.undecidable)],
      ["Rules", String(found.rules)],
      ["Files", h("ul", { class: "plain mono" }, found.files.map((file) => h("li", {}, given(file))))],
    ]),
  ];
}

// -- try a command ----------------------------------------------------------------------------------------------------------

function trial() {
  const answer = h("div", { class: "answer", "aria-live": "polite" });
  const input = (name) => h("input", { name, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const command = h("textarea", { name: "command", rows: "2", required: true, spellcheck: "false", autocapitalize: "none", class: "mono", "data-search": "" });
  const form = h("form", { class: "trial" },
    field("Command", command),
    h("div", { class: "filters" },
      field("Identity", input("identity")),
      field("Groups (with commas)", input("groups")),
      field("Target", input("target")),
      field("Account", input("account")),
      h("button", { type: "submit", class: "primary" }, "Explain")));
  command.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const values = Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()));
    if (values.groups) values.groups = values.groups.split(",").map((group) => group.trim()).filter(Boolean);
    fill(answer);
    load(answer, "the answer", () => post("/v1/policies/explain", values), (found) => fill(answer, explained(found)));
  });
  return h("section", {}, h("h2", {}, "Try a command"),
    h("p", { class: "dim" }, "Nothing runs. What is left out is your own: your identity, your groups."), form, answer);
}

function explained(found) {
  return [
    h("p", { class: "verdict" }, badge(found.effect), " by ", given(found.rule, "mono"),
      found.would ? h("span", { class: "dim" }, ` (observe; enforced it would be: ${found.would})`) : null),
    facts([
      ["Reason", found.reason ? given(found.reason) : null],
      ["What helps", found.remedy ? given(found.remedy) : null],
      ["Found", findings(found.categories, found.techniques)],
      ["Can not be read", found.undecidable?.length ? h("ul", { class: "plain" }, found.undecidable.map((why) => h("li", {}, given(why)))) : null],
      ["Place", found.place ? given(`${found.place.file}:${found.place.line}`, "mono") : null],
      ["Policy", given(brief(found.policy), "mono")],
    ]),
    h("h3", {}, "What would run"),
    found.runs ? code(found.runs, { label: "What would run" }) : empty("Nothing", "It can not be read, so nothing of it can run."),
    (found.commands ?? []).length > 1 ? [h("h3", {}, "Each command"), h("ol", { class: "so-far" }, found.commands.map(simple))] : null,
  ];
}

function simple(one) {
  const words = one.argv.map((word) => word ?? "…").join(" ");
  return h("li", {}, badge(one.effect), code(words, { block: false }), h("span", { class: "dim small" }, given(one.rule), one.reason ? [": ", given(one.reason)] : null));
}
