// What changes, as /v1/events tells it: one stream for all pages, which comes back by itself when it is lost.
//
// An event says what kind of thing changed and which one, never what it is now: pages ask for that again, so that what
// is shown was answered to this person's own request. After a gap everything may have changed, and every page is told.

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 15_000;
const TOGETHER = 100;
const KINDS = ["approval", "grant", "session", "recording", "policy"];

const listeners = new Set();
const watchers = new Set();
let source = null;
let wait = FIRST_WAIT;
let timer = null;
let gap = false;
export let state = "connecting"; // or "open", "lost"

/** Hear of changes: `heard({kind, id})`, `kind` null after a gap. The answer ends it. */
export function hear(heard) {
  listeners.add(heard);
  return () => listeners.delete(heard);
}

/** Hear of the stream itself: `told(state, seconds until the next try)`. */
export function watch(told) {
  watchers.add(told);
  told(state, 0);
}

export function start() {
  if (source) return;
  source = new EventSource("/v1/events");
  source.addEventListener("open", () => {
    wait = FIRST_WAIT;
    become("open", 0);
    if (gap) tell({ kind: null, id: null });
    gap = false;
  });
  source.addEventListener("error", lost);
  source.addEventListener("reset", () => tell({ kind: null, id: null })); // what was missed is not kept
  for (const kind of KINDS) {
    source.addEventListener(kind, change);
  }
}

export function stop() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function change(event) {
  let told;
  try {
    told = JSON.parse(event.data);
  } catch {
    told = null; // that something of this kind changed is known all the same
  }
  tell({ kind: event.type, id: told?.id ?? null });
}

// Changes that come together are told together: of several of one kind, one that names none.
const waiting = new Map();

function tell({ kind, id }) {
  if (waiting.size === 0) setTimeout(flush, TOGETHER);
  waiting.set(kind, waiting.has(kind) && waiting.get(kind) !== id ? null : id);
}

function flush() {
  const told = waiting.has(null) ? [[null, null]] : [...waiting];
  waiting.clear();
  for (const [kind, id] of told) for (const heard of listeners) heard({ kind, id });
}

function lost() {
  stop();
  gap = true;
  become("lost", Math.round(wait / 1000));
  timer = setTimeout(start, wait * (0.8 + 0.4 * Math.random()));
  wait = Math.min(2 * wait, LONGEST_WAIT);
}

function become(now, next) {
  state = now;
  for (const told of watchers) told(now, next);
}

addEventListener("online", () => {
  if (state !== "lost") return;
  stop();
  start();
});
addEventListener("pagehide", stop);
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    gap = true;
    start();
  }
});
