// Copies what the portal's pages need out of node_modules into
// web/static/vendor, and what only tests need into e2e/testdata.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

// The icons that pages use; a name that lucide does not have stops the build.
const icons = `
  archive arrow-left arrow-right bell calendar check chevron-down chevron-right
  circle-alert circle-check circle-help circle-x clock copy database download
  external-link eye file file-text folder hard-drive history house key-round
  link list-checks lock log-out mail menu minus monitor moon pause play plus
  refresh-cw rotate-ccw scroll-text search send server settings shield
  shield-check sun trash-2 triangle-alert upload user users video x
`.trim().split(/\s+/);

const vendor = "web/static/vendor";
mkdirSync(vendor, { recursive: true });
mkdirSync("e2e/testdata", { recursive: true });
copyFileSync("node_modules/htmx.org/dist/htmx.min.js", `${vendor}/htmx.min.js`);
copyFileSync("node_modules/htmx.org/dist/ext/hx-sse.min.js", `${vendor}/hx-sse.min.js`);
copyFileSync("node_modules/asciinema-player/dist/bundle/asciinema-player.min.js", `${vendor}/asciinema-player.min.js`);
copyFileSync("node_modules/asciinema-player/dist/bundle/asciinema-player.css", `${vendor}/asciinema-player.css`);
copyFileSync("node_modules/axe-core/axe.min.js", "e2e/testdata/axe.min.js");

// One sprite: <svg class="icon"><use href="/static/vendor/icons.svg#check"/></svg>
const look = `viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"`;
const symbols = icons.map((name) => {
  const svg = readFileSync(`node_modules/lucide-static/icons/${name}.svg`, "utf8");
  const body = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" ${look}>${body.replace(/\s*\n\s*/g, "")}</symbol>`;
});
const licence = "<!-- icons: Lucide, ISC licence, https://lucide.dev/license -->";
writeFileSync(`${vendor}/icons.svg`, `<svg xmlns="http://www.w3.org/2000/svg">${licence}\n${symbols.join("\n")}\n</svg>\n`);
