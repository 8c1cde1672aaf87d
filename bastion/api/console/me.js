// Who is there, what they may see, and the way out. What is hidden here is refused by the API too: this is for
// convenience, that is the protection.

import { post } from "./api.js";
import { h } from "./dom.js";
import { facts, given, names, say } from "./parts.js";
import { when } from "./times.js";

const FOR = {
  __proto__: null,
  approvals: ["approver", "operator"],
  sessions: ["viewer", "auditor", "approver", "operator"],
  recordings: ["auditor", "operator"],
  audit: ["auditor", "operator"],
  policies: ["viewer", "auditor", "approver", "operator"],
  grants: ["approver", "operator"],
  revoke: ["operator"],
  follow: ["auditor", "operator"],
  operate: ["operator"],
};

export function may(me, what) {
  return (me.roles ?? []).some((role) => FOR[what].includes(role));
}

export function corner(me) {
  const out = async () => {
    try {
      await post("/v1/logout");
      location.replace("/#/login"); // which does not go straight on: else who leaves may be in again at once
      location.reload();
    } catch (error) {
      say(`Not logged out: ${error.message}`, { urgent: true, tone: "bad" });
    }
  };
  return h(
    "details",
    { class: "me" },
    h("summary", {}, given(me.identity), h("span", { class: "dim tenant" }, " · ", given(me.tenant))),
    h(
      "div",
      { class: "me-card" },
      facts([
        ["Name", given(me.identity)],
        ["Tenant", given(me.tenant)],
        ["Roles", me.roles?.length ? names(me.roles) : "none"],
        ["Groups", me.groups?.length ? names(me.groups) : "none"],
        ["Issuer", me.issuer ? given(me.issuer, "mono") : null],
        ["Until", me.expires ? when(me.expires) : null],
      ]),
      h("button", { type: "button", on: { click: out } }, "Log out"),
    ),
  );
}
