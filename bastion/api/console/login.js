// The way in: a tenant's issuer, by OIDC's code flow, which the bastion itself goes through. Nothing secret is typed
// into this page, and it does not list the tenants: who comes here is not known yet.
//
// Who is nobody goes straight on to the issuer. A bastion of several tenants sends them back here to say which one;
// `#/login/TENANT` and a notice's `?tenant=` name it, and the last one that was used is kept in this browser. This page
// stays in view after a logout (`#/login`), and where the way in led back with a problem, so that nobody goes round.
//
// The way out is a link's, not a form's: form-action 'self' would hold back a form whose answer leads to the issuer.

import { withParameters } from "./api.js";
import { add, fill, h } from "./dom.js";
import { field } from "./parts.js";

const KEY = "bastion-tenant";

/** What the way in says when it leads back here: words of the bastion's own, so that no address puts others here. */
const PROBLEMS = {
  __proto__: null,
  tenant: "This bastion has several tenants: say which one.",
  nobody: "Nobody logs in with a browser there.",
  begun: "No login was begun in this browser, or too long ago. Try again.",
  refused: "The issuer did not vouch for you.",
  revoked: "You are revoked here.",
  issuer: "The issuer can not be reached. Try again later.",
};

/** `place` is where the way led: `parts` and `tenant` of the address. */
export function show(main, place) {
  document.title = "Log in · bastion";
  const named = (place.parts[0] === "login" ? place.parts[1] : place.tenant) || kept();
  const problem = new URLSearchParams(location.search).get("problem");
  if (problem === null && place.parts[0] !== "login") return go(named, true);
  const several = problem === "tenant" || problem === "nobody" || named !== "";
  const tenant = h("input", {
    name: "tenant", autocomplete: "organization", autocapitalize: "none", spellcheck: "false", maxlength: "63", value: named,
  });
  const submit = (event) => {
    event.preventDefault();
    keep(tenant.value.trim());
    go(tenant.value.trim(), false);
  };
  const button = h("button", { type: "submit", class: "primary" }, "Go to the issuer");
  add(fill(main), h("div", { class: "login" },
    h("h1", {}, "Log in"),
    problem === null ? null : h("p", { class: "notice bad", role: "alert" }, PROBLEMS[problem] ?? "You are not logged in. Try again."),
    h("form", { class: "trial", on: { submit } }, several ? field("Tenant", tenant) : null, button),
    h("p", { class: "dim small" }, "Who you are is asked there, and what you may do follows from your groups. Without a browser: ",
      h("code", {}, "bastion approvals list"), " on the bastion itself.")));
  (several ? tenant : button).focus();
}

/** `quietly`: this page is none that one comes back to. */
function go(tenant, quietly) {
  const address = withParameters("/v1/login", { tenant });
  if (quietly) location.replace(address);
  else location.assign(address);
}

function kept() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is forbidden here
  }
}

function keep(tenant) {
  try {
    localStorage.setItem(KEY, tenant);
  } catch {
    // Storage is forbidden here: it is typed again the next time.
  }
}
