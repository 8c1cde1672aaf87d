// What a person would not see, or would take for something else, made visible: the browser's twin of
// bastion/characters.py. Every text that dom.js puts into the page passes here, so no control, direction-changing or
// invisible character of a session, a command, a comment or a name reaches the screen as itself.
//
// Limits: look-alikes of other alphabets stay as they are.

// Controls, formats, surrogates, private and unassigned ones, separators; and what is drawn as nothing though its
// category says letter, mark or symbol.
const HIDDEN = new RegExp(
  "[\\p{C}\\p{Zl}\\p{Zp}\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000\\u034f\\u115f\\u1160\\u17b4\\u17b5" +
    "\\u180b-\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0\\ufffc\\u{16fe4}\\u{1d159}\\u{e0000}-\\u{e0fff}]",
  "u",
);
// What the API escaped already, in texts that it says it did that to.
const ESCAPES = /\\x[0-9a-f]{2}|\\u\{[0-9a-f]{4,6}\}/g;

const NAMES = new Map([
  [0x00, "NUL"], [0x07, "bell"], [0x08, "backspace"], [0x09, "tab"], [0x0a, "line feed"], [0x0d, "carriage return"],
  [0x1b, "escape"], [0x7f, "delete"], [0xa0, "no-break space"], [0x200b, "zero-width space"],
  [0x200c, "zero-width non-joiner"], [0x200d, "zero-width joiner"], [0x200e, "left-to-right mark"],
  [0x200f, "right-to-left mark"], [0x202a, "left-to-right embedding"], [0x202b, "right-to-left embedding"],
  [0x202c, "end of direction"], [0x202d, "left-to-right override"], [0x202e, "right-to-left override"],
  [0x2066, "left-to-right isolate"], [0x2067, "right-to-left isolate"], [0x2068, "first strong isolate"],
  [0x2069, "end of isolate"], [0xfeff, "byte order mark"],
]);

/** How one hidden character is written: `\xNN` or `\u{NNNN}`. */
export function escape(character) {
  const code = character.codePointAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16).padStart(4, "0")}}`;
}

/** The text in runs: `[text, name]`, where `name` is null for what is plain and tells what an escape stands for. */
export function runs(text) {
  const found = [];
  let plain = "";
  for (const character of text) {
    if (!HIDDEN.test(character)) {
      plain += character;
      continue;
    }
    if (plain) found.push([plain, null]);
    plain = "";
    found.push([escape(character), about(character.codePointAt(0))]);
  }
  if (plain) found.push([plain, null]);
  return found;
}

/** Runs of a text in which the API has written escapes: those are told apart from what was written so. */
export function escapedRuns(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(ESCAPES)) {
    found.push(...runs(text.slice(from, match.index)));
    found.push([match[0], about(Number.parseInt(match[0].replace(/[^0-9a-f]/g, ""), 16))]);
    from = match.index + match[0].length;
  }
  return found.concat(runs(text.slice(from)));
}

/** One line for a title or an announcement, cut at `bound` characters. */
export function shown(text, bound = 300) {
  const whole = Array.from(String(text).slice(0, 2 * bound + 2));
  const cut = whole.length > bound ? `${whole.slice(0, bound).join("")}…` : whole.join("");
  return runs(cut).map(([run]) => run).join("");
}

/** Whether something of it would not be seen. */
export function hides(text) {
  return HIDDEN.test(text);
}

function about(code) {
  const name = NAMES.get(code);
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}${name ? ` ${name}` : ""}`;
}
