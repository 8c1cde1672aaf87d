// The terminal: asciinema-player, from its package, and the one place where a session's text is read as a terminal
// reads it. Its terminal knows no links, clipboard or title (OSC 8, 52, 0): such sequences are dropped by it.
//
// It is WebAssembly, compiled in the page: that is why the Content-Security-Policy has 'wasm-unsafe-eval', which
// permits that and no eval of script. It sets styles by CSSOM and adds no <style>, so style-src needs nothing more.

import { clean, head, parse } from "./asciicast.js";
import { fill, h } from "./dom.js";
import { empty } from "./parts.js";
import { shown } from "./visible.js";

const PLAYER = "/player/index.js";
const STYLE = "/player/bundle/asciinema-player.css";
const FONT = "ui-monospace, 'Cascadia Code', 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const WAIT = 2_000; // before a live stream that was lost is asked for again; doubled each time
const LONGEST_WAIT = 30_000;

let loaded = null;

/** The player's module and its style sheet, once; null when they are not installed. */
function player() {
  loaded ??= (async () => {
    const style = h("link", { rel: "stylesheet", href: STYLE });
    const drawn = new Promise((resolve, reject) => {
      style.addEventListener("load", resolve);
      style.addEventListener("error", () => reject(new Error("no style")));
    });
    document.head.append(style);
    try {
      const [module] = await Promise.all([import(PLAYER), drawn]);
      return module;
    } catch (error) {
      console.warn(`the player can not be loaded: ${error.message}`);
      style.remove();
      loaded = null;
      return null;
    }
  })();
  return loaded;
}

function missing() {
  return empty(
    "The player is not installed on the bastion",
    "It comes from its own package. In the folder ",
    h("code", {}, "bastion/api/console"),
    " of the installation: ",
    h("code", {}, "npm ci --omit=dev"),
    ", then start the bastion anew. Recordings also play with ",
    h("code", {}, "asciinema play"),
    ".",
  );
}

/** Play what was read from a recording; the player, or null where there is none. */
export async function play(place, { header, events, commands }) {
  const module = await player();
  if (!module) {
    fill(place, missing());
    return null;
  }
  fill(place);
  // No limit to idle times: what the clock of the player says is what the recording says.
  const source = { data: [{ version: 2, width: header.width, height: header.height }].concat(events) };
  return module.create(source, place, {
    ...look(),
    controls: true,
    preload: true,
    poster: `npt:${commands.length > 1 ? Math.max(0, commands[1].time - 0.01) : events.at(-1)?.[0] ?? 0}`, // of the first one
    markers: commands.map(({ time, text }, number) => [time, shown(text, 80) || `${number + 1}`]),
  });
}

/** Follow a live session: `told(words)` about the stream, `lost()` when it broke off, `home` the bastion process that
 * has it. The answer has `end` for when the session is over, what is shown staying, and `close` for leaving the page. */
export async function follow(place, address, { told, lost, home }) {
  const module = await player();
  if (!module) {
    fill(place, missing());
    return { end() {}, close() {} };
  }
  fill(place);
  const stream = new Stream(address, told, lost, home);
  const made = module.create((callbacks) => stream.driver(callbacks), place, { ...look(), controls: false, autoPlay: true });
  const close = () => {
    stream.close();
    made.dispose();
  };
  return { end: () => stream.end(), close };
}

function look() {
  return { fit: "width", terminalFontFamily: FONT, terminalFontSize: "14px", theme: "asciinema", logger: null };
}

/** A player's driver over server-sent events: `header`, which begins the screen anew, then events as in a file; `gap`
 * where this browser was too slow; `end` is the last. Lost, it is asked for again, and begins with a header again. */
class Stream {
  constructor(address, told, broken, home) {
    Object.assign(this, { address, told, broken, home, source: null, dispatch: () => {}, timer: null, over: false, wait: WAIT });
  }

  driver({ dispatch }) {
    this.dispatch = dispatch;
    return { play: () => this.open(), stop: () => this.close() };
  }

  open() {
    if (this.over || this.source) return true;
    this.told("Connecting …");
    this.source = new EventSource(this.address);
    this.source.addEventListener("header", (event) => this.begin(event.data));
    this.source.addEventListener("message", (event) => this.take(event.data));
    this.source.addEventListener("gap", () => this.told("Following. Some output was left out here: it came too fast. The recording has it."));
    this.source.addEventListener("end", () => this.end());
    this.source.addEventListener("error", () => this.lost());
    return true;
  }

  begin(data) {
    const header = head(data);
    this.wait = WAIT;
    this.told("Following. What is shown here was masked and recorded first.");
    this.dispatch("reset", { size: { cols: header.width, rows: header.height } });
    this.dispatch("playing");
  }

  take(data) {
    const event = parse(data);
    if (event?.[1] === "o") this.dispatch("output", clean(event[2]));
    else if (event?.[1] === "r") this.dispatch("resize", size(event[2]));
  }

  end() {
    if (this.over) return;
    this.close();
    this.told("The session is over.");
  }

  lost() {
    this.source?.close();
    this.source = null;
    if (this.over) return;
    this.told(`It can not be followed at the moment: it is ending, or ${this.home ? `lives at ${this.home}` : "lives elsewhere"}. Trying again …`);
    this.timer = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    this.broken();
  }

  close() {
    this.over = true;
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}

function size(text) {
  const [cols, rows] = text.split("x").map(Number);
  return { cols, rows };
}
