// The player of a recording: asciinema's terminal, and our own clock. The page
// around it, with its transcript, its timeline and its forms, works without.

const box = document.getElementById("player");
const said = (key) => box.dataset[key] ?? "";
const byID = (id) => document.getElementById(id);

// The terminal's whole state lies in the memory of its WebAssembly module. A
// copy of it now and then makes every place near: to go somewhere is to put a
// copy back and play on from there, exactly as if one had watched from the start.
let memory;
const instantiate = WebAssembly.instantiate;
WebAssembly.instantiate = async (...args) => {
  const made = await instantiate.apply(WebAssembly, args);
  memory ??= (made.instance ?? made).exports.memory;
  return made;
};

const partBytes = 1 << 20; // of the recording, asked for at once
const copyEvery = 3 << 18; // characters of output between two copies
const pageBytes = 1 << 16; // pages that did not change are kept once

// ---- what was recorded -----------------------------------------------------

const events = []; // [milliseconds, "o" or "r", data]
const dues = []; // events before which a copy is due
let loaded = false;
let cols = 80, rows = 24;
const length = Number(box.dataset.duration);

async function ask(url, init = {}) {
  const answer = await fetch(url, { ...init, cache: "no-store", headers: { Accept: "application/json", "HX-Request": "true", ...init.headers } });
  if (answer.ok) return answer;
  let why = {};
  try { why = await answer.json(); } catch { /* there is no sentence with it */ }
  throw Object.assign(new Error(why.cause || said("ended")), { next: why.next ?? "", over: answer.status < 500 && answer.status !== 429 });
}

async function load() {
  const size = Number(box.dataset.size);
  const decoder = new TextDecoder();
  let tail = "", since = copyEvery;
  for (let at = 0; at < size && !stopped;) {
    const answer = await ask(box.dataset.cast, { headers: { Range: `bytes=${at}-${Math.min(at + partBytes, size) - 1}` } });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (bytes.length === 0) throw new Error(said("unreadable"));
    at += bytes.length;
    const lines = (tail + decoder.decode(bytes, { stream: at < size })).split("\n");
    tail = at < size ? lines.pop() : "";
    for (const line of lines) {
      if (line[0] === "{") ({ width: cols, height: rows } = JSON.parse(line));
      if (line[0] !== "[") continue;
      const [t, kind, data] = JSON.parse(line);
      if (kind !== "o" && kind !== "r") continue;
      if (since >= copyEvery) { dues.push(events.length); since = 0; }
      events.push([t * 1000, kind, data]);
      since += data.length;
    }
    if (at <= partBytes || at === bytes.length) begin();
    update();
  }
  loaded = true;
  begin();
  update();
}

// ---- the terminal ----------------------------------------------------------

let dispatch; // tells asciinema's terminal what to show
let next = 0; // the first event that is not shown yet
let shown = { cols: 0, rows: 0 };
const copies = new Map(); // event -> the terminal before it

function size(to) {
  if (to.cols === shown.cols && to.rows === shown.rows) return;
  shown = to;
  dispatch("resize", { ...to });
}

function copy() {
  if (!memory) return null;
  const now = new Uint8Array(memory.buffer);
  const last = [...copies.values()].at(-1)?.pages ?? [];
  const pages = [];
  for (let i = 0; i * pageBytes < now.length; i++) {
    const page = now.subarray(i * pageBytes, (i + 1) * pageBytes);
    pages.push(last[i] && same(last[i], page) ? last[i] : page.slice());
  }
  return { pages, next, ...shown };
}

function same(a, b) {
  const x = new Float64Array(a.buffer, a.byteOffset, a.length / 8), y = new Float64Array(b.buffer, b.byteOffset, b.length / 8);
  for (let i = 0; i < x.length; i++) if (!Object.is(x[i], y[i])) return false;
  return true;
}

function restore(from) {
  size({ cols: from.cols, rows: from.rows });
  dispatch("output", "\x1b[2J"); // so that every line is drawn anew
  const now = new Uint8Array(memory.buffer);
  from.pages.forEach((page, i) => now.set(page, i * pageBytes));
  next = from.next;
  dispatch("output", "");
}

// advance plays everything before an event, without waiting.
function advance(to) {
  let due = dues.findIndex((d) => d >= next);
  while (next < to) {
    if (dues[due] === next) {
      if (!copies.has(next)) { const c = copy(); if (c) copies.set(next, c); }
      due++;
    }
    const end = Math.min(to, due >= 0 && due < dues.length ? dues[due] : to);
    let out = "";
    for (; next < end; next++) {
      const [, kind, data] = events[next];
      if (kind === "o") { out += data; continue; }
      if (out) dispatch("output", out);
      out = "";
      const [c, r] = data.split("x").map(Number);
      if (c > 0 && r > 0) size({ cols: c, rows: r });
    }
    if (out) dispatch("output", out);
  }
}

// after is the first event later than a time.
function after(ms) {
  let a = 0, b = events.length;
  while (a < b) {
    const m = (a + b) >> 1;
    if (events[m][0] <= ms) a = m + 1; else b = m;
  }
  return a;
}

function show(ms) {
  const to = after(ms);
  let near = null;
  for (const c of copies.values()) if (c.next <= to && (!near || c.next > near.next)) near = c;
  if (next > to || (near && near.next > next)) {
    if (near) restore(near);
    else { dispatch("reset", { size: { cols, rows }, theme: null }); shown = { cols, rows }; next = 0; }
  }
  advance(to);
}

// prepare makes the copies that are lacking, one at a time, while the page idles.
function prepare() {
  if (stopped || !memory) return;
  const at = dues.findIndex((d) => !copies.has(d));
  const before = at > 0 ? copies.get(dues[at - 1]) : null;
  if (before) {
    const here = copy();
    restore(before);
    advance(dues[at]);
    const c = copy();
    copies.set(dues[at], c);
    restore(here);
  }
  if (at > 0 || !loaded) setTimeout(prepare, playing ? 120 : 8);
  else box.dataset.ready = "true";
}

// ---- the clock -------------------------------------------------------------

const speeds = [0.5, 1, 2, 4, 8, 16];
let time = 0, speed = 1, playing = false, skip = false, stopped = false, begun = false, last = 0;

function begin() {
  if (begun || !dispatch || events.length === 0) return;
  begun = true;
  shown = { cols, rows };
  dispatch("reset", { size: { cols, rows }, theme: null });
  dispatch("play");
  const first = copy();
  if (first) copies.set(0, first);
  for (const e of document.querySelectorAll("[data-player][hidden]")) e.hidden = false;
  seek(Number(box.dataset.from) || 0);
  prepare();
}

function tick(now) {
  if (!playing) return;
  time += Math.min(now - last, 1000) * speed;
  last = now;
  const following = events[after(time)];
  if (skip && following && following[0] - time > 2000 * Math.max(1, speed)) {
    note();
    time = following[0] - 300;
    from = time;
  }
  const end = loaded ? length : Math.min(length, events.at(-1)[0]);
  if (time >= end) { time = end; show(time); if (loaded) pause(); update(); if (!playing) return; }
  show(time);
  update();
  requestAnimationFrame(tick);
}

function play() {
  if (playing || stopped || !begun) return;
  if (time >= length) seek(0);
  playing = true;
  from = time;
  last = performance.now();
  requestAnimationFrame(tick);
  update();
}

function pause() {
  if (!playing) return;
  note();
  playing = false;
  tell();
  update();
}

function seek(ms) {
  if (stopped || !begun) return;
  note();
  time = Math.max(0, Math.min(ms, length));
  from = time;
  show(time);
  update();
}

// ---- what was watched ------------------------------------------------------

let from = 0, parts = [], telling = false, since = performance.now();

function note() {
  if (playing && time > from) parts.push([Math.round(from), Math.round(time)]);
  from = time;
}

async function tell(leaving = false) {
  if (playing) note();
  if (telling || stopped || parts.length === 0) return;
  const sent = parts;
  parts = [];
  telling = true;
  const body = new URLSearchParams({ viewing: box.dataset.viewing, parts: sent.map((p) => p.join("-")).join(",") });
  try {
    const answer = await ask(box.dataset.watched, { method: "POST", body, keepalive: leaving });
    const { watched } = await answer.json();
    if (watched) byID("watched").textContent = watched;
  } catch (err) {
    parts = sent.concat(parts); // it is told with the next
    if (err.over) stop(err);
  } finally {
    telling = false;
  }
}

function stop(err) {
  if (stopped) return;
  pause();
  stopped = true;
  events.length = dues.length = 0;
  copies.clear();
  byID("screen").replaceChildren();
  const why = byID("stopped");
  why.hidden = false;
  why.querySelector("b").textContent = err.message;
  why.querySelector("span").textContent = err.next ?? "";
  why.focus();
  for (const e of document.querySelectorAll("[data-player]")) e.hidden = true;
  if (err.over) for (const e of document.querySelectorAll("[data-recorded]")) e.replaceChildren();
}

// ---- the page --------------------------------------------------------------

function clock(ms) {
  const s = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

function update() {
  byID("time").textContent = `${clock(time)} / ${clock(length)}`;
  const range = byID("range");
  if (document.activeElement !== range || playing) range.value = String(Math.round(time));
  range.setAttribute("aria-valuetext", clock(time));
  const label = byID("play").lastElementChild;
  const word = said(playing ? "pause" : "play");
  if (label.textContent !== word) {
    label.textContent = word;
    const use = byID("play").querySelector("use");
    use?.setAttribute("href", use.getAttribute("href").replace(/#.*/, playing ? "#pause" : "#play"));
  }
  byID("speed").textContent = `${speed} ×`;
  const head = byID("head");
  for (const a of ["x1", "x2"]) head?.setAttribute(a, String(length ? (time / length) * 1000 : 0));
  const wait = byID("loading");
  wait.hidden = loaded || stopped;
}

const marks = [...document.querySelectorAll('[data-kind="command"][data-t]')].map((e) => Number(e.dataset.t));

function command(step) {
  const at = step > 0 ? marks.find((t) => t > time + 250) : marks.findLast((t) => t < time - 1500);
  if (at !== undefined) seek(at);
}

function faster(step) {
  const i = speeds.indexOf(speed) + step;
  if (i < 0 || i >= speeds.length) return;
  note();
  speed = speeds[i];
  update();
}

function skipping() {
  skip = !skip;
  byID("skip").setAttribute("aria-pressed", String(skip));
}

function remark() {
  const form = byID("note");
  if (!form) return;
  pause();
  form.elements.at.value = clock(time);
  form.elements.text.focus();
}

function judge() {
  pause();
  document.querySelector("#verdict input[name=verdict]")?.focus();
}

const does = {
  " ": () => (playing ? pause() : play()), ArrowLeft: () => seek(time - 5000), ArrowRight: () => seek(time + 5000), Home: () => seek(0), End: () => seek(length),
  "[": () => command(-1), "]": () => command(1), "<": () => faster(-1), ">": () => faster(1), i: skipping, n: remark, v: judge,
};
const buttons = { play: " ", back: "ArrowLeft", forward: "ArrowRight", earlier: "[", later: "]", slower: "<", faster: ">", skip: "i" };

document.addEventListener("keydown", (event) => {
  if (stopped || !begun || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const on = event.target;
  if (on.closest?.("textarea, select, [contenteditable]") || (on.matches?.("input") && on.type !== "range")) {
    if (event.key === "Escape") { on.blur(); event.preventDefault(); }
    return;
  }
  if (on.matches?.("button, a, summary") && (event.key === " " || event.key === "Enter")) return; // its own
  const act = does[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}, true);

for (const [id, key] of Object.entries(buttons)) byID(id)?.addEventListener("click", () => does[key]());
byID("range").addEventListener("input", (event) => seek(Number(event.target.value)));
byID("strip")?.addEventListener("click", (event) => {
  const r = event.currentTarget.getBoundingClientRect();
  seek(((event.clientX - r.left) / r.width) * length);
});

// Times on the page become buttons that lead there.
for (const e of document.querySelectorAll("span[data-t]")) {
  const b = document.createElement("button");
  b.type = "button";
  b.className = "plain";
  b.textContent = e.textContent;
  b.dataset.t = e.dataset.t;
  if (e.dataset.kind) b.dataset.kind = e.dataset.kind;
  b.addEventListener("click", () => { seek(Number(b.dataset.t)); box.scrollIntoView({ block: "nearest" }); });
  e.replaceWith(b);
}

setInterval(() => {
  const now = performance.now();
  if (playing && now - since >= 5000) { since = now; tell(); }
}, 1000);
addEventListener("pagehide", () => { if (playing) note(); tell(true); });
document.addEventListener("visibilitychange", () => { if (document.hidden) pause(); });

const script = document.createElement("script");
script.src = box.dataset.vendor;
script.onerror = () => stop(Object.assign(new Error(said("nothing")), { next: said("nothingNext") }));
script.onload = () => {
  const driver = (core) => ({
    init() { dispatch = core.dispatch; begin(); },
    play() {}, pause() {}, seek() {}, stop() {},
    getDuration: () => length / 1000, getCurrentTime: () => time / 1000,
  });
  globalThis.AsciinemaPlayer.create(driver, byID("screen"), { preload: true, controls: false, fit: "width", cols: Number(box.dataset.cols), rows: Number(box.dataset.rows), theme: "asciinema", keystrokeOverlay: false, cursorMode: "steady" });
};
document.head.append(script);
load().catch(stop);
