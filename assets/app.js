// Every page works without this file: each action is a form. It keeps times true and pages alive; board.js adds the board.
"use strict";

/** "3 min ago", as the server says it. */
function said(at, now) {
  const seconds = Math.floor(Math.abs(now - at) / 1000);
  const units = [[60 * 86400, 30 * 86400, " months"], [86400, 86400, " d"], [3600, 3600, " h"], [60, 60, " min"], [0, 1, " s"]];
  const [, size, word] = units.find(([least]) => seconds >= least);
  const span = Math.floor(seconds / size) + word;
  if (at > now) return "in " + span;
  return seconds < 5 ? "just now" : span + " ago";
}

/** How agents are marked that were not heard of for some time. */
const FADED = [["silent", "bad", "○"], ["quiet", "warn", "◐"]];

function refreshTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[datetime]")) {
    const words = said(Date.parse(time.dateTime), now);
    if (time.textContent !== words) time.textContent = words;
  }
  // Nobody tells of silence, so it is looked for.
  for (const mark of document.querySelectorAll("[data-silent]")) {
    const faded = FADED.find(([word]) => now >= Number(mark.dataset[word]));
    if (!faded || mark.classList.contains(faded[1])) continue;
    const [word, tone, sign] = faded;
    mark.classList.remove("good", "warn");
    mark.classList.add(tone);
    mark.querySelector(".sign").textContent = sign;
    mark.querySelector(".word").textContent = word;
    mark.title = mark.title.replace(/[a-z]+$/, word);
  }
}

const flash = document.getElementById("flash");

/** Says what came of something, where screen readers hear it. */
function tell(text, isError) {
  const line = document.createElement("p");
  line.className = "banner " + (isError ? "bad" : "good");
  if (isError) {
    const strong = document.createElement("strong");
    strong.textContent = "Not done: ";
    line.append(strong);
  }
  line.append(text);
  flash.replaceChildren(line);
  if (!isError) setTimeout(() => line.remove(), 10000);
}

/** Fetches HTML of ours; who is not signed in any more is led to where that is done. */
async function fetchPage(url) {
  const response = await fetch(url, { headers: { accept: "text/html" } });
  const isOut = response.status === 401 || (response.redirected && new URL(response.url).pathname === "/login");
  if (isOut) location.reload();
  if (isOut || !response.ok) throw new Error(response.statusText);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** Waits a little, so that what comes together is done at once. */
function gathered(work, wait) {
  let timer = null;
  return () => {
    if (timer === null) timer = setTimeout(() => { timer = null; work(); }, wait + Math.random() * wait / 2);
  };
}

const STOPS = "a, button, summary, [tabindex]";

/** What a thing that can have the focus is, also after its page was read again. */
function keyOf(stop) {
  const { form } = stop;
  // The form of all cards has no fields of theirs.
  const fields = form && form.id !== "mover" ? [...form.elements].filter((field) => field.type === "hidden" && field.name !== "csrf") : [];
  const sent = [stop, ...fields].map((field) => `${field.name ?? ""}=${field.value ?? ""}`);
  const said = ["href", "aria-label", "aria-labelledby"].map((name) => stop.getAttribute(name));
  return [stop.tagName, form?.getAttribute("action"), ...said, ...sent].join(" ");
}

const sameIn = (part, key) => [...part.querySelectorAll(STOPS)].filter((stop) => keyOf(stop) === key);

/** Where the focus is within a part, and the how manieth of its like that is; `null` if it is elsewhere. */
function focusIn(part) {
  const stop = document.activeElement;
  if (!part?.contains(stop)) return null;
  const key = keyOf(stop);
  return { key, nth: sameIn(part, key).indexOf(stop) };
}

/** Gives the focus back to what had it, or to `otherwise` where that is no more or cannot have it. */
function focusOn(part, focus, otherwise) {
  if (focus === null) return;
  const same = sameIn(part, focus.key)[focus.nth];
  same?.focus();
  if (!same || document.activeElement !== same) otherwise?.focus();
}

/** Does one thing after the other: an older answer that comes late would stand over a newer one. */
function queue() {
  let turn = Promise.resolve();
  return (work) => (turn = turn.then(work, work));
}

/**
 * Listens while the page is seen: a browser has six connections for all its pages of one server, and each listener holds one.
 * What happened since the event `last` is told; where that is not known or cannot be told, `catchUp` is called.
 */
function listenTo(url, hear, catchUp, last) {
  const live = document.getElementById("live");
  const show = (state, words) => { live.hidden = false; live.dataset.state = state; live.textContent = words; };
  let events = null;
  let later = null;
  let refusals = 0;
  const stop = () => {
    clearTimeout(later);
    events?.close();
    events = null;
  };
  const start = () => {
    stop();
    const from = last ? (url.includes("?") ? "&" : "?") + "after=" + encodeURIComponent(last) : "";
    const source = events = new EventSource(url + from);
    const on = (kind, heard) => source.addEventListener(kind, (event) => { last = event.lastEventId; heard(event); });
    for (const [kind, heard] of Object.entries(hear)) on(kind, heard);
    let isSure = from !== "";
    on("ready", () => {
      show("on", "● live");
      refusals = 0;
      if (!isSure) catchUp();
      isSure = true;
    });
    // The first word of a server that was started anew, in the place of "ready".
    on("reset", () => {
      show("on", "● live");
      catchUp();
    });
    source.addEventListener("error", () => {
      show("off", "○ reconnecting");
      // The browser comes back by itself but after a refusal, which may be that nobody is signed in any more.
      if (source.readyState !== EventSource.CLOSED) return;
      later = setTimeout(start, 3000 + Math.random() * 2000);
      if (refusals % 20 === 0) fetchPage(location.href).catch(() => {});
      refusals += 1;
    });
  };
  const look = () => { if (document.hidden) stop(); else if (!events) start(); };
  document.addEventListener("visibilitychange", look);
  look();
}

/** Has somebody written into it, or chosen? */
function isTouched(field) {
  if (field.type === "hidden") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (!field.options) return field.value !== field.defaultValue;
  const first = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(first, 0);
}

/** Is somebody at work in it? Details with an id are only read. */
function isAtWork(part) {
  const selected = getSelection();
  const selects = selected && !selected.isCollapsed && part.contains(selected.anchorNode);
  const isOpen = part.querySelector("details[open]:not([id], .prose details), input:focus, textarea:focus, select:focus") !== null;
  return selects || isOpen || [...part.querySelectorAll("input, textarea, select")].some(isTouched);
}

/** The same with other words for times is the same. */
const withoutTimes = (part) => part.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1");

function swapPart(part, fresh) {
  for (const { id } of part.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector("#" + CSS.escape(id));
    if (same) same.open = true;
  }
  const focus = focusIn(part);
  const across = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  part.replaceChildren(...fresh.childNodes);
  [...part.querySelectorAll(".scroll")].forEach((one, n) => { one.scrollLeft = across[n] ?? 0; });
  focusOn(part, focus);
}

/** Reads a part of a page again when something of its kinds changes, and every minute: that somebody is silent is no event. */
function keepLive(part) {
  const { live: kinds, liveAgent: agent, liveRepo: repo, liveWait: wait } = part.dataset;
  const narrowed = (name, value) => (value ? `&${name}=${encodeURIComponent(value)}` : "");
  let shown = null;
  const inTurn = queue();
  const again = gathered(() => inTurn(read), Number(wait ?? 500));
  async function read() {
    if (isAtWork(part)) return again();
    const page = await fetchPage(location.href).catch(() => null);
    if (!page) return setTimeout(again, 5000);
    const fresh = page.querySelector(`[data-live="${kinds}"]`);
    if (!fresh || withoutTimes(fresh) === shown) return;
    if (isAtWork(part)) return again();
    shown = withoutTimes(fresh);
    swapPart(part, fresh);
  }
  const hear = Object.fromEntries(kinds.split(",").map((kind) => [kind, again]));
  listenTo("/api/events?kind=" + kinds + narrowed("agent", agent) + narrowed("repo", repo), hear, again);
  setInterval(() => { if (!document.hidden) again(); }, 60000);
}

/** A form is sent once, however often its button is pressed. */
document.addEventListener("submit", (event) => {
  const { target: form } = event;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 10000);
});

/** Light or dark, without losing what is on the page. */
document.querySelector("form.theme")?.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (!submitter) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, submitter));
  const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => null);
  if (!answer) return tell("the server cannot be reached", true);
  if (answer.type !== "opaqueredirect") return tell("the colours stay: load the page again", true);
  document.documentElement.dataset.theme = submitter.value;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === submitter));
});

setInterval(refreshTimes, 15000);
for (const part of document.querySelectorAll("[data-script]")) part.hidden = false;
for (const part of document.querySelectorAll("[data-live]")) keepLive(part);
