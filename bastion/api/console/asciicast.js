// asciicast v2, read for the player: the header, what was shown, and the markers as a list of commands.
//
// What was typed (`i`) is dropped. Characters that only change the direction of text are taken out of what was shown:
// a terminal draws nothing for them, and a browser would turn the line around. All other text goes to the player's
// terminal as it is, and to nothing else; the labels of markers are text like any other.

const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const VERDICT = /^(.*?)\s*\((allowed|denied|approved) by ([^()]*)\)$/s;
const DENIED = /^denied by (.*)$/s;
const MOST = 4096; // columns or rows

export class BadRecording extends Error {}

/** `{header, events, commands, torn}`; the last line may be cut short, and `torn` tells it. Throws BadRecording. */
export function read(text) {
  const rows = text.split("\n");
  const header = head(rows[0]);
  const events = [];
  const commands = [];
  let torn = false;
  for (let number = 1; number < rows.length; number += 1) {
    if (rows[number] === "") continue;
    const event = parse(rows[number]);
    if (event === null) {
      if (number < rows.length - 1) throw new BadRecording(`line ${number + 1} is no event`);
      torn = true;
      break;
    }
    const [time, code, data] = event;
    if (code === "m") commands.push(command(time, data));
    else if (code === "r" || code === "o") events.push([time, code, code === "o" ? clean(data) : data]);
  }
  return { header, events, commands, torn };
}

export function head(line) {
  let found;
  try {
    found = JSON.parse(line);
  } catch {
    throw new BadRecording("it does not begin with a header");
  }
  if (found?.version !== 2 || !isSide(found.width) || !isSide(found.height)) {
    throw new BadRecording("it is no asciicast v2");
  }
  return found;
}

function isSide(value) {
  return Number.isInteger(value) && value > 0 && value <= MOST;
}

/** An event, or null for what is none. */
export function parse(line) {
  let found;
  try {
    found = typeof line === "string" ? JSON.parse(line) : line;
  } catch {
    return null;
  }
  const good = Array.isArray(found) && Number.isFinite(found[0]) && typeof found[1] === "string" && typeof found[2] === "string";
  if (!good) return null;
  if (found[1] === "r" && !/^[1-9]\d{0,3}x[1-9]\d{0,3}$/.test(found[2])) return null;
  return found;
}

export function clean(output) {
  return output.replace(DIRECTION, "");
}

/** A marker as a command and what was decided on it: `{time, text, effect, rule}`. */
export function command(time, label) {
  const verdict = VERDICT.exec(label);
  if (verdict) return { time, text: verdict[1], effect: verdict[2] === "denied" ? "deny" : "allow", rule: verdict[3] };
  const denied = DENIED.exec(label);
  if (denied) return { time, text: "", effect: "deny", rule: denied[1] };
  return { time, text: label, effect: null, rule: "" };
}
