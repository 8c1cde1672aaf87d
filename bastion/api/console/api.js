// The HTTP API, as the console asks it: JSON in, JSON out, problem details as `Problem`.
//
// The session is a cookie that this code never sees. What changes something is sent as JSON by fetch, from this origin
// alone, with a header that a form of another site can not set.

import { serverSays } from "./times.js";

const TIMEOUT = 30_000;

/** An answer that is no success. `status` is 0 when there was no answer. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export function get(path, parameters = {}) {
  return ask("GET", withParameters(path, parameters));
}

/** Change something. Some changes have a body, and some are wholly told by their path. */
export function post(path, body) {
  return ask("POST", path, body);
}

/** `path` with those parameters that say something. */
export function withParameters(path, parameters) {
  const entries = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(entries).toString();
  return query ? `${path}?${query}` : path;
}

/** A path of the API, each part of it encoded. */
export function path(...parts) {
  return `/v1/${parts.map(encodeURIComponent).join("/")}`;
}

async function ask(method, address, body) {
  const response = await answer(address, {
    method,
    headers: {
      Accept: "application/json",
      "X-Bastion": "1",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (response.status === 204) return null;
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** The text of a recording, at most `bound` characters; `told(characters)` as it comes. Problem when it is longer. */
export async function getText(address, bound, told, signal) {
  const response = await answer(address, { headers: { Accept: "application/x-asciicast" }, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const pieces = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return pieces.join("");
    pieces.push(value);
    size += value.length;
    told(size);
    if (size > bound) {
      await reader.cancel();
      throw new Problem(0, "it is too long to be played here");
    }
  }
}

async function answer(address, options) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", redirect: "error", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "the bastion can not be reached");
  }
  serverSays(response.headers.get("Date"));
  if (!response.ok) throw new Problem(response.status, await detail(response));
  return response;
}

async function detail(response) {
  try {
    const problem = await response.json();
    return problem.detail || problem.title || response.statusText;
  } catch {
    return response.statusText || `status ${response.status}`;
  }
}
