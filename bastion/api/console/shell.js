// Shell text, coloured for reading: a small scanner, for people only. It decides nothing; what it takes for a command
// or a string is a hint to the eye, and the judged text is shown whole whatever it makes of it.
//
// `tokens` cuts a text into `[text, kind]` whose texts put together are the text again. Kinds: command, option, word,
// quote, string, variable, operator, redirect, keyword, comment, escape, space.
//
// In a text that the API escaped, `\xNN` and `\u{NNNN}` are one piece each, whatever stands around them.
//
// Bounds: 64 KiB are scanned and 24 levels followed; what is past them is plain.

import { escapedText, h, text as plain } from "./dom.js";

const BOUND = 64 << 10;
const LEVELS = 24;
const SHORT = 24; // characters of a piece that no line is broken in
const KEYWORDS = new Set(
  "if then else elif fi for while until do done case esac in select function time coproc ! [[ ]] { }".split(" "),
);
// After these a command comes.
const BEFORE_COMMAND = new Set("if then else elif while until do time coproc ! {".split(" "));
const OPERATOR = /(?:&&|\|\||;;&|;;|;&|\|&|[;&|()])/y;
const REDIRECT = /(?:\d*(?:<<<|<<-|<<|<>|>>|>&|<&|>\||[<>])|&>>|&>)/y;
const VARIABLE = /\$(?:[A-Za-z_]\w*|[0-9@*#?$!-]|\{[^{}]*\})/y;
const SPACE = /[ \t\r\n]+/y;
const COMMENT = /#[^\n]*/y;
const BARE = /[^\s;&|()<>'"`$\\]+/y;
const ESCAPE = /\\(?:x[0-9a-f]{2}|u\{[0-9a-f]{4,6}\})/y;
const FEED = /\\x0a/y;
const IN_DOUBLE = /[^"`$\\]+/y;
const ASSIGNMENT = /^[A-Za-z_]\w*\+?=/;

export function tokens(text, escaped = false) {
  const scanner = new Scanner(text.length > BOUND ? text.slice(0, BOUND) : text, escaped);
  scanner.list("", 0);
  if (text.length > BOUND) scanner.found.push([text.slice(BOUND), "word"]);
  return scanner.found;
}

/** The text as it is read on the screen. `escaped` says that the API wrote escapes into it. */
export function code(text, { escaped = false, block = true, label = null } = {}) {
  const make = escaped ? escapedText : plain;
  const pieces = tokens(text, escaped).map(([piece, kind]) => {
    const short = block && piece.length <= SHORT && kind !== "space" && !/\s/.test(piece);
    return h("span", { class: short ? `t-${kind} t-short` : `t-${kind}` }, broken(piece, make, block, escaped));
  });
  const attributes = { class: block ? "code" : "code-line", translate: "no", tabindex: block ? "0" : null };
  if (label) Object.assign(attributes, { "aria-label": label, role: "region" });
  return h(block ? "pre" : "code", attributes, pieces);
}

/** In a block a line ends where the text says so, and the escape of the line feed stays to be seen: a long line that is
 * broken to fit has none. */
function broken(piece, make, block, escaped) {
  if (!block) return make(piece);
  const lines = piece.split(escaped ? /(?<=\n|\\x0a)/ : /(?<=\n)/);
  return lines.map((line) => [make(line), /(?:\n|\\x0a)$/.test(line) ? h("br") : null]);
}

class Scanner {
  constructor(text, escaped) {
    this.text = text;
    this.escaped = escaped;
    this.at = 0;
    this.found = [];
  }

  take(pattern) {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (!match) return null;
    this.at = pattern.lastIndex;
    return match[0];
  }

  put(piece, kind) {
    if (piece) this.found.push([piece, kind]);
  }

  /** Commands up to `end` (a character, or all), which is left standing. */
  list(end, level) {
    let command = true; // whether the next word is a program
    let file = false; // whether it is what a redirection names
    while (this.at < this.text.length) {
      if (end && this.text[this.at] === end) return;
      const feed = this.escaped ? this.take(FEED) : null;
      if (feed) {
        this.put(feed, "escape");
        command = true;
        continue;
      }
      const space = this.take(SPACE);
      if (space) {
        this.put(space, "space");
        if (space.includes("\n")) command = true;
        continue;
      }
      const comment = this.take(COMMENT);
      const redirect = comment ? null : this.take(REDIRECT);
      const operator = comment || redirect ? null : this.take(OPERATOR);
      if (comment) this.put(comment, "comment");
      else if (redirect) this.put(redirect, "redirect");
      else if (operator) this.put(operator, "operator");
      if (operator) command = true;
      if (redirect) file = true;
      if (comment || redirect || operator) continue;
      const kind = this.word(command && !file, level);
      if (!file) command = command && (kind === "assignment" || kind === "before");
      file = false;
    }
  }

  /** One word; what it is. */
  word(command, level) {
    const first = this.found.length;
    const began = this.at;
    while (this.at < this.text.length && this.piece(level)) continue;
    if (this.at === began) this.put(this.text[this.at++], "word"); // nothing knows it: never stand still
    const raw = this.text.slice(began, this.at);
    const literal = this.found.slice(first).filter(([, kind]) => kind !== "quote").map(([piece]) => piece).join("");
    if (command && KEYWORDS.has(raw)) return this.name(first, "keyword", BEFORE_COMMAND.has(raw) ? "before" : "keyword");
    if (command && ASSIGNMENT.test(raw)) return "assignment";
    if (command) return this.name(first, "command", "command");
    if (KEYWORDS.has(raw) && raw !== "!") return this.name(first, "keyword", "keyword");
    if (literal.startsWith("-")) return this.name(first, "option", "option");
    return "word";
  }

  /** What the plain pieces of a word are, now that all of it is known. */
  name(first, kind, answer) {
    for (const token of this.found.slice(first)) if (token[1] === "word" || token[1] === "string") token[1] = kind;
    return answer;
  }

  /** A piece of a word; whether there was one. */
  piece(level) {
    const character = this.text[this.at];
    if (character === "'") return this.single("'");
    if (character === "$" && this.text[this.at + 1] === "'") return this.single("$'");
    if (character === '"') return this.double(level);
    if (character === "\\") return this.backslash();
    if (character === "$" || character === "`") return this.dollar(level);
    const bare = this.take(BARE);
    this.put(bare, "word");
    return bare !== null;
  }

  backslash() {
    const hidden = this.escaped ? this.take(ESCAPE) : null;
    if (hidden) {
      this.put(hidden, "escape");
    } else {
      const next = this.text.codePointAt(this.at + 1) ?? 0;
      const end = this.at + (next > 0xffff ? 3 : 2);
      this.put(this.text.slice(this.at, end), "escape");
      this.at = end;
    }
    return true;
  }

  single(quote) {
    this.put(quote, "quote");
    const from = this.at + quote.length;
    let end = from;
    while (end < this.text.length && this.text[end] !== "'") end += quote === "$'" && this.text[end] === "\\" ? 2 : 1;
    this.put(this.text.slice(from, end), "string");
    this.put(this.text.slice(end, end + 1), "quote");
    this.at = Math.min(end + 1, this.text.length);
    return true;
  }

  double(level) {
    this.put('"', "quote");
    this.at += 1;
    while (this.at < this.text.length && this.text[this.at] !== '"') {
      const inside = this.take(IN_DOUBLE);
      if (inside) {
        this.put(inside, "string");
      } else if (this.text[this.at] === "\\") {
        this.backslash();
      } else {
        this.dollar(level);
      }
    }
    this.put(this.text.slice(this.at, this.at + 1), "quote");
    this.at = Math.min(this.at + 1, this.text.length);
    return true;
  }

  /** A variable, a substitution with its commands, or a lone sign. */
  dollar(level) {
    const variable = this.take(VARIABLE);
    if (variable) {
      this.put(variable, "variable");
      return true;
    }
    const opener = this.text.startsWith("$(", this.at) ? "$(" : this.text[this.at];
    this.put(opener, "operator");
    this.at += opener.length;
    if (opener === "$" || level >= LEVELS) return true;
    const end = opener === "`" ? "`" : ")";
    this.list(end, level + 1);
    this.put(this.text.slice(this.at, this.at + 1), "operator");
    this.at = Math.min(this.at + 1, this.text.length);
    return true;
  }
}
