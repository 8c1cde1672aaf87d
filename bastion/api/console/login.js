// The way in: a tenant's issuer, by OIDC's code flow, which the bastion itself goes through. Nothing secret is typed
// into this page, and it does not list the tenants: who comes here is not known yet. `#/login/TENANT` is the page of
// one tenant; the last one that was used here is kept in this browser.
//
// The way out is a link's, not a form's: form-action 'self' would hold back a form whose answer leads to the issuer.

import { withParameters } from "./api.js";
import { add, fill, h } from "./dom.js";
import { field, given } from "./parts.js";

const KEY = "bastion-tenant";

/** `place` is where the way led: `parts` and `tenant` of the address. */
export function show(main, place) {
  document.title = "Log in · bastion";
  const named = place.parts[0] === "login" ? place.parts[1] : place.tenant;
  const tenant = h("input", {
    name: "tenant", autocomplete: "organization", autocapitalize: "none", spellcheck: "false", maxlength: "63",
    value: named || kept(),
  });
  const submit = (event) => {
    event.preventDefault();
    keep(tenant.value.trim());
    location.assign(withParameters("/v1/login", { tenant: tenant.value.trim() }));
  };
  add(fill(main), h("div", { class: "login" },
    h("h1", {}, "Log in"),
    refused(),
    h("form", { class: "trial", on: { submit } },
      field("Tenant", tenant, "May stay empty where this bastion has only one."),
      h("button", { type: "submit", class: "primary" }, "Go to its issuer")),
    h("p", { class: "dim small" }, "Who you are is asked there, and what you may do follows from your groups. Without a browser: ",
      h("code", {}, "bastion approvals list"), " on the bastion itself.")));
  tenant.focus();
}

/** What the way in said when it led back here. */
function refused() {
  const why = new URLSearchParams(location.search).get("problem");
  return why ? h("p", { class: "notice bad", role: "alert" }, "Not logged in: ", given(why)) : null;
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
