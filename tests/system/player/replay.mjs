// Replays recordings with the web player's own core (everything of it but the drawing) and prints, a line of JSON for
// each: what it showed, its markers and sizes, or why it refused. Usage: node replay.mjs FILE...
import { readdirSync, readFileSync } from "node:fs";

const dist = new URL("./node_modules/asciinema-player/dist/", import.meta.url);
const core = readdirSync(dist).find((name) => /^core-.*\.js$/.test(name)); // the name holds a digest of the build
const { C: Core } = await import(new URL(core, dist));
const logger = { debug() {}, info() {}, warn() {}, error() {} };

async function replay(path) {
  const player = new Core({ data: readFileSync(path, "utf8") }, { logger, speed: 1e6, idleTimeLimit: 0.001 });
  const seen = { output: "", markers: [], sizes: [], duration: null };
  player.addEventListener("output", (data) => (seen.output += [data].flat().join(""))); // near events come as a list
  player.addEventListener("metadata", (data) => {
    seen.duration = data.duration;
    seen.markers = data.markers.map(([, label]) => label);
  });
  player.addEventListener("resize", ({ cols, rows }) => seen.sizes.push(`${cols}x${rows}`));
  const over = new Promise((resolve, reject) => {
    player.addEventListener("ended", resolve);
    player.addEventListener("error", (data) => reject(new Error(JSON.stringify(data) ?? "error")));
  });
  over.catch(() => {});
  player.terminalReady();
  await player.init();
  await player.play();
  await over;
  return seen;
}

for (const path of process.argv.slice(2)) {
  try {
    console.log(JSON.stringify(await replay(path)));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
process.exit(0);
