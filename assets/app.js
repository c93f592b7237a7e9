// Every page works without this file: each action is a form. It keeps times true and the board alive.
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

function refreshTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const words = said(Date.parse(time.dateTime), Date.now());
    if (time.textContent !== words) time.textContent = words;
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
}

/** Fetches HTML of ours; who is not signed in any more is led to where that is done. */
async function fetchPage(url) {
  const response = await fetch(url, { headers: { accept: "text/html" } });
  if (response.status === 401) location.reload();
  if (!response.ok) throw new Error(response.statusText);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** Waits a little, so that what comes together is done at once. */
function gathered(work, wait) {
  let timer = null;
  return () => {
    if (timer === null) timer = setTimeout(() => { timer = null; work(); }, wait + Math.random() * wait / 2);
  };
}

const board = document.getElementById("board");

const column = (status) => board.querySelector(`[data-column="${CSS.escape(status)}"] .cards`);
const cardOf = (id) => document.getElementById("card-" + id);

function addToCount(status, change) {
  const count = document.querySelector(`[data-count="${CSS.escape(status)}"]`);
  if (count) count.textContent = Math.max(0, Number(count.textContent) + change);
}

/** Puts a card where its column has it; one that belongs behind all that is shown waits there for "More". */
function place(card) {
  const list = column(card.dataset.status);
  if (!list) return;
  const next = [...list.children].find((other) => other !== card && other.dataset.order > card.dataset.order);
  // Its place, not the last card's: that one may have left meanwhile, and "More" goes on where it stood.
  const more = list.parentElement.querySelector("[data-more]");
  if (more && card.dataset.order > more.dataset.order) card.remove();
  else list.insertBefore(card, next ?? null);
}

let dragged = null;
const changed = new Set();
let wholeBoard = false;
let busy = 0;
let reads = false;

/** Reads again what changed, and swaps it. */
const refresh = gathered(async () => {
  // One read at a time: an older answer that comes late would stand over a newer one.
  if (dragged || busy > 0 || reads) return refresh();
  const ids = [...changed].slice(0, 100);
  const all = wholeBoard || changed.size > 100;
  changed.clear();
  wholeBoard = false;
  reads = true;
  try {
    if (all) await refreshBoard();
    else await refreshCards(ids);
  } catch {
    // The server is away; once it is back everything is read again.
    wholeBoard = true;
  } finally {
    reads = false;
  }
}, 200);

async function refreshBoard() {
  const page = await fetchPage(location.href);
  const fresh = page.getElementById("board");
  if (!fresh) return;
  const focus = document.activeElement?.closest?.("[data-issue]")?.dataset.issue;
  const scrolled = new Map([...board.querySelectorAll(".cards")].map((list) => [list.parentElement.dataset.column, list.scrollTop]));
  board.replaceChildren(...fresh.children);
  for (const [status, top] of scrolled) column(status).scrollTop = top;
  if (focus) cardOf(focus)?.querySelector("a")?.focus();
  document.querySelector("main > .empty")?.remove();
  const empty = page.querySelector("main > .empty");
  if (empty) board.before(empty);
}

async function refreshCards(ids) {
  const page = await fetchPage(`/board/cards?${board.dataset.query}ids=${ids.join(",")}`);
  const list = page.querySelector("ol");
  for (const { name, value } of list.attributes) {
    const status = name.match(/^data-count-(.+)$/)?.[1];
    const count = status && board.querySelector(`[data-count="${status}"]`);
    if (count) count.textContent = value;
  }
  const fresh = new Map([...list.children].map((card) => [card.dataset.issue, card]));
  for (const id of ids) {
    const old = cardOf(id);
    const card = fresh.get(id);
    if (!card) { old?.remove(); continue; }
    const isSame = old && old.dataset.order === card.dataset.order && old.dataset.status === card.dataset.status;
    if (old && !isSame) card.classList.add("fresh");
    const hadFocus = old?.contains(document.activeElement);
    if (old?.querySelector("details[open]") && card.querySelector("details")) card.querySelector("details").open = true;
    if (isSame) old.replaceWith(card);
    else { old?.remove(); place(card); }
    if (hadFocus) card.querySelector("a")?.focus();
  }
  document.querySelector("main > .empty")?.remove();
}

/** Moves a card at once, and back with the reason where that is refused. */
async function move(card, to) {
  const from = card.dataset.status;
  if (to === from) return;
  const { issue, repo, number } = card.dataset;
  const before = card.nextElementSibling;
  const hadFocus = card.contains(document.activeElement);
  const put = (status, next) => {
    addToCount(card.dataset.status, -1);
    addToCount(status, 1);
    card.dataset.status = status;
    column(status).insertBefore(card, next ?? null);
    if (hadFocus) card.querySelector("a").focus();
  };
  busy += 1;
  const menu = card.querySelector("details");
  if (menu) menu.open = false;
  put(to, column(to).firstElementChild);
  try {
    const response = await fetch("/api/issues/move", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ issueId: issue, repoFullName: repo, issueNumber: Number(number), oldLabels: ["status/" + from], newLabels: ["status/" + to] }),
    });
    if (response.status === 401) location.reload();
    if (!response.ok) throw new Error((await response.json()).error);
    const title = document.getElementById("title-" + to).textContent;
    tell(`${repo}#${number} is in ${title} now`, false);
  } catch (error) {
    const why = error instanceof TypeError ? "the server cannot be reached" : error.message;
    put(from, before?.isConnected ? before : null);
    tell(`${repo}#${number} stays where it was: ${why}`, true);
  } finally {
    busy -= 1;
    changed.add(issue);
    refresh();
  }
}

function watchMoves() {
  board.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.(".card");
    if (!dragged) return;
    event.dataTransfer.setData("text/plain", dragged.dataset.issue);
    event.dataTransfer.effectAllowed = "move";
    dragged.classList.add("held");
  });
  board.addEventListener("dragover", (event) => {
    const over = event.target.closest("[data-column]");
    if (!dragged || !over) return;
    event.preventDefault();
    for (const other of board.querySelectorAll(".over")) if (other !== over) other.classList.remove("over");
    over.classList.add("over");
  });
  board.addEventListener("drop", (event) => {
    const over = event.target.closest("[data-column]");
    if (!dragged || !over) return;
    event.preventDefault();
    move(dragged, over.dataset.column);
  });
  board.addEventListener("dragend", () => {
    dragged?.classList.remove("held");
    dragged = null;
    for (const over of board.querySelectorAll(".over")) over.classList.remove("over");
  });
  document.getElementById("mover").addEventListener("submit", (event) => {
    const [to, id] = (event.submitter?.value ?? "").split(" ");
    const card = id && cardOf(id);
    if (!card) return;
    event.preventDefault();
    move(card, to);
  });
  board.addEventListener("keydown", (event) => {
    const card = event.target.closest("a") && event.target.closest(".card[draggable]");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!card || !event.shiftKey || !step) return;
    const places = [...board.querySelectorAll("[data-column]")].map((one) => one.dataset.column);
    const to = places[places.indexOf(card.dataset.status) + step];
    if (!to) return;
    event.preventDefault();
    move(card, to);
  });
  board.addEventListener("click", async (event) => {
    const more = event.target.closest("[data-more]");
    if (!more) return;
    event.preventDefault();
    const page = await fetchPage(more.href).catch(() => null);
    if (!page) return tell("the server cannot be reached", true);
    const section = more.closest("[data-column]");
    const last = section.querySelector(".cards").lastElementChild;
    for (const card of page.querySelectorAll(".card")) if (!document.getElementById(card.id)) section.querySelector(".cards").append(card);
    const next = page.querySelector("[data-more]");
    if (next) { more.href = next.href; more.dataset.order = next.dataset.order; }
    else more.parentElement.remove();
    (last?.nextElementSibling ?? last)?.querySelector("a")?.focus();
  });
}

function everything() {
  wholeBoard = true;
  refresh();
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
      // The browser comes back by itself but after a refusal.
      if (source.readyState === EventSource.CLOSED) later = setTimeout(start, 3000 + Math.random() * 2000);
    });
  };
  const look = () => { if (document.hidden) stop(); else if (!events) start(); };
  document.addEventListener("visibilitychange", look);
  look();
}

/** Follows what others change on the board. */
function followBoard() {
  const about = ({ data }) => {
    const hint = JSON.parse(data);
    const id = hint.kind === "issue" ? hint.id ?? hint.issueId : hint.issueId;
    if (!id) return everything();
    changed.add(id);
    refresh();
  };
  const ofRepository = ({ data }) => { if (!JSON.parse(data).id) everything(); };
  const ofRun = ({ data }) => {
    const agent = JSON.parse(data).agent?.toLowerCase();
    const cards = agent ? board.querySelectorAll(`[data-agent="${CSS.escape(agent)}"]`) : [];
    for (const card of cards) changed.add(card.dataset.issue);
    if (cards.length > 0) refresh();
  };
  listenTo("/api/events", { issue: about, claim: about, outbox: about, repository: ofRepository, run: ofRun }, everything, board.dataset.told);
}

setInterval(refreshTimes, 15000);
for (const part of document.querySelectorAll("[data-script]")) part.hidden = false;
if (board) {
  watchMoves();
  followBoard();
}

/** Reads a part of a page again when something of its kinds changes, unless somebody is at work in it. Details with an id are only read, and stay open. */
function keepLive(part) {
  const { live: kinds, liveAgent: agent, liveWait: wait } = part.dataset;
  const again = gathered(async () => {
    if (part.querySelector("details[open]:not([id])") || part.querySelector("input:focus")) return again();
    const page = await fetchPage(location.href).catch(() => null);
    const fresh = page?.querySelector(`[data-live="${kinds}"]`);
    if (!fresh) return;
    for (const { id } of part.querySelectorAll("details[open][id]")) {
      const same = fresh.querySelector("#" + CSS.escape(id));
      if (same) same.open = true;
    }
    const stops = () => [...part.querySelectorAll("a, button, summary")];
    const focus = stops().indexOf(document.activeElement);
    part.replaceChildren(...fresh.childNodes);
    if (focus >= 0) stops()[focus]?.focus();
  }, Number(wait ?? 500));
  const hear = Object.fromEntries(kinds.split(",").map((kind) => [kind, again]));
  listenTo("/api/events?kind=" + kinds + (agent ? "&agent=" + encodeURIComponent(agent) : ""), hear, again);
}

for (const part of document.querySelectorAll("[data-live]")) keepLive(part);
