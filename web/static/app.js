// What pages gain where JavaScript runs; all of them work without.

// The reader's time zone, so that the server can write times in it: from the
// next page on, for one that changes by itself must not mix two zones.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`zone=${encodeURIComponent(zone)}`)) {
  addEventListener("pagehide", () => {
    document.cookie = `zone=${encodeURIComponent(zone)}; Path=/; SameSite=Lax; Max-Age=31536000`;
  });
}

// Buttons that copy stay hidden where nothing could be copied.
function showCopyButtons() {
  if (!navigator.clipboard) return;
  for (const b of document.querySelectorAll("button[data-copy][hidden]")) b.hidden = false;
}
showCopyButtons();
document.addEventListener("htmx:after:swap", showCopyButtons);

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  await navigator.clipboard.writeText(source.textContent);
  const label = button.lastChild;
  const before = label.textContent;
  label.textContent = button.dataset.done;
  setTimeout(() => { label.textContent = before; }, 2000);
});

// What cannot be taken back is asked for once more.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// A form that came back with errors says so first, or what it did.
(document.getElementById("errors") ?? document.getElementById("done"))?.focus();

// What only a script can do is hidden where there is none.
for (const e of document.querySelectorAll("[data-js][hidden]")) e.hidden = false;

// A key leads to the box that names it, but not while somebody types.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const box = document.querySelector(`[data-focus="${CSS.escape(event.key)}"]`);
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// One box ticks all others of its form.
document.addEventListener("change", ({ target }) => {
  const boxes = [...(target.form?.querySelectorAll("input[name=pick]") ?? [])];
  const all = target.form?.querySelector("[data-all]");
  if (target === all) for (const b of boxes) b.checked = all.checked;
  else if (all && target.name === "pick") {
    all.checked = boxes.every((b) => b.checked);
    all.indeterminate = !all.checked && boxes.some((b) => b.checked);
  }
});

// A live page asks for itself again when its stream says that something
// changed. A question or a stream that got no answer is tried again, later and
// later, and the page stays as it is meanwhile. Whoever is signed out by now
// is asked to sign in.
let tries = 0;

function unanswered(asker, status) {
  if (status === 401) location.replace(location.pathname + location.search);
  if (!asker || (status && status < 500 && status !== 429)) return;
  setTimeout(() => {
    if (asker.hasAttribute("hx-sse:connect")) htmx.process(asker, true);
    else htmx.trigger(document.body, "changed");
  }, Math.min(2 ** tries++, 15) * 1000);
}

document.addEventListener("htmx:error", (event) => unanswered(event.detail.ctx?.sourceElement));
document.addEventListener("htmx:response:error", ({ detail }) => unanswered(detail.ctx.sourceElement, detail.ctx.response.status));
document.addEventListener("htmx:sse:error", ({ detail }) => { if (detail.status === 401) unanswered(null, 401); }); // it tries again by itself
document.addEventListener("htmx:after:request", ({ detail }) => { if (detail.ctx.response.status < 400) tries = 0; });
