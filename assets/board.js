// The board: cards that are moved by hand, by key and by menu, and what others change meanwhile. It needs app.js.
"use strict";

const board = document.getElementById("board");
const sections = () => [...board.querySelectorAll("[data-column]")];
const column = (status) => board.querySelector(`[data-column="${CSS.escape(status)}"] .cards`);
const titleOf = (status) => document.getElementById("title-" + status).textContent;
const cardOf = (id) => document.getElementById("card-" + id);

/** The id of the issue whose card is in somebody's hand. */
let dragged = null;
/** What is on its way to the server, by issue. */
const moves = new Map();
/** Cards that were moved here: they stay in sight, also where "More" would hold them. */
const kept = new Set();
/** Issues whose cards are to be read again. */
const changed = new Set();
let wholeBoard = false;

function addToCount(status, change) {
  const count = board.querySelector(`[data-count="${CSS.escape(status)}"]`);
  if (count) count.textContent = Math.max(0, Number(count.textContent) + change);
}

/** Puts a card where its column has it; one that belongs behind all that is shown waits there for "More". */
function place(card) {
  const list = column(card.dataset.status);
  if (!list) return;
  // Its place, not the last card's: that one may have left meanwhile, and "More" goes on where it stood.
  const more = list.parentElement.querySelector("[data-more]");
  if (more && card.dataset.order > more.dataset.order && !kept.has(card.dataset.issue)) return card.remove();
  const next = [...list.children].find((other) => other !== card && other.dataset.order > card.dataset.order);
  list.insertBefore(card, next ?? null);
}

const inTurn = queue();
const refresh = gathered(() => inTurn(readAgain), 200);
const isHeld = () => dragged !== null || moves.size > 0;

/** Reads again what changed, and shows it; nothing is forgotten when that fails or somebody holds a card. */
async function readAgain() {
  if (isHeld()) return refresh();
  const all = wholeBoard || changed.size > 100;
  const ids = all ? [] : [...changed];
  wholeBoard = false;
  changed.clear();
  const putBack = () => { wholeBoard ||= all; for (const id of ids) changed.add(id); };
  try {
    if (all || ids.length > 0) {
      const page = await fetchPage(all ? location.href : `/board/cards?${board.dataset.query}ids=${ids.join(",")}`);
      if (isHeld()) { putBack(); return refresh(); }
      if (all) await showBoard(page);
      else showCards(ids, page);
    }
    await refill();
  } catch {
    putBack();
    setTimeout(refresh, 3000);
  }
}

async function showBoard(page) {
  const fresh = page.getElementById("board");
  if (!fresh) return;
  const shown = new Map(sections().map((section) => {
    const list = section.querySelector(".cards");
    return [section.dataset.column, { top: list.scrollTop, cards: list.children.length }];
  }));
  const open = [...board.querySelectorAll(".card:has(details[open])")].map((card) => card.id);
  const held = document.activeElement?.closest?.(".card")?.id;
  const focus = focusIn(held ? document.getElementById(held) : board);
  const focusAgain = () => {
    const card = held && document.getElementById(held);
    if (document.activeElement === document.body) focusOn(card || board, focus, card?.querySelector("a"));
  };
  const scrollAgain = (section) => {
    const list = section.querySelector(".cards");
    if (list.scrollTop === 0) list.scrollTop = shown.get(section.dataset.column)?.top ?? 0;
  };
  board.replaceChildren(...fresh.children);
  showEmpty(page);
  for (const id of open) document.getElementById(id)?.querySelector("details")?.setAttribute("open", "");
  for (const section of sections()) scrollAgain(section);
  focusAgain();
  // What "More" had brought is there again.
  for (const section of sections()) {
    const cards = shown.get(section.dataset.column)?.cards ?? 0;
    while (section.querySelector(".cards").children.length < cards && await more(section));
    scrollAgain(section);
  }
  focusAgain();
}

function showEmpty(page) {
  document.querySelector("main > .empty")?.remove();
  const empty = page.querySelector("main > .empty");
  if (empty) board.before(empty);
}

function showCards(ids, page) {
  const list = page.querySelector("ol");
  for (const { name, value } of list.attributes) {
    const status = name.match(/^data-count-(.+)$/)?.[1];
    const count = status && board.querySelector(`[data-count="${status}"]`);
    if (count) count.textContent = value;
  }
  const fresh = new Map([...list.children].map((card) => [card.dataset.issue, card]));
  const hadCards = board.querySelector(".card") !== null;
  for (const id of ids) showCard(cardOf(id), fresh.get(id));
  // The page says what to do where there is no card at all.
  const hasCards = board.querySelector(".card") !== null;
  if (hasCards) document.querySelector("main > .empty")?.remove();
  else if (hadCards) everything();
}

/** Shows a card anew, in the place of what was shown of it. */
function showCard(old, card) {
  const focus = focusIn(old);
  const neighbour = old?.nextElementSibling ?? old?.previousElementSibling;
  const isSame = old && card && old.dataset.order === card.dataset.order && old.dataset.status === card.dataset.status;
  if (old?.querySelector("details[open]")) card?.querySelector("details")?.setAttribute("open", "");
  if (isSame) {
    old.replaceWith(card);
  } else {
    if (old) card?.classList.add("fresh");
    const list = old?.parentElement;
    old?.remove();
    if (card) place(card);
    if (focus !== null && !card?.isConnected) (neighbour?.querySelector("a") ?? list).focus();
  }
  if (card?.isConnected) focusOn(card, focus, card.querySelector("a"));
}

/** Shows the next part of a column, and whether there was one. */
async function more(section) {
  const link = section.querySelector("[data-more]");
  if (!link) return false;
  const page = await fetchPage(link.href);
  const next = page.querySelector("[data-more]");
  if (next) { link.href = next.href; link.dataset.order = next.dataset.order; }
  else link.parentElement.remove();
  for (const card of page.querySelectorAll(".card")) if (!cardOf(card.dataset.issue)) place(card);
  return true;
}

/** Columns that others emptied fill up with what stands behind. */
async function refill() {
  const enough = Number(board.dataset.show) / 2;
  for (const section of sections()) {
    while (section.querySelector(".cards").children.length < enough && await more(section));
  }
}

/** Shows a card in a column that it is not in yet. */
function showMoved(card, to) {
  const focus = focusIn(card);
  addToCount(card.dataset.status, -1);
  addToCount(to, 1);
  card.dataset.status = to;
  // The last to be done stands first there.
  if (to === "done") card.dataset.order = String(9999999999999 - Date.now()).padStart(13, "0");
  card.querySelector("details")?.removeAttribute("open");
  kept.add(card.dataset.issue);
  place(card);
  focusOn(card, focus, card.querySelector("a"));
}

async function send({ issue, repo, number }, from, to) {
  const response = await fetch("/api/issues/move", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ issueId: issue, repoFullName: repo, issueNumber: Number(number), oldLabels: ["status/" + from], newLabels: ["status/" + to] }),
  });
  if (response.status === 401) location.reload();
  if (response.ok) return;
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error ?? `the server answered ${response.status}`);
}

/** Moves a card at once, and back with the reason where that is refused. Who moves it again meanwhile changes the wish. */
async function move(id, to) {
  const card = cardOf(id);
  if (!card || card.dataset.status === to) return;
  const under = moves.get(id);
  const before = card.cloneNode(true);
  const one = { at: card.dataset.status, wish: to };
  showMoved(card, to);
  if (under) { under.wish = to; return; }
  moves.set(id, one);
  const name = `${card.dataset.repo}#${card.dataset.number}`;
  try {
    while (one.at !== one.wish) {
      const { wish } = one;
      await send(card.dataset, one.at, wish);
      one.at = wish;
    }
    tell(`${name} is in ${titleOf(one.at)} now`, false);
  } catch (error) {
    const why = error instanceof TypeError ? "the server cannot be reached" : error.message;
    putBack(id, before, one.at);
    tell(`${name} stays in ${titleOf(one.at)}: ${why}`, true);
  } finally {
    moves.delete(id);
    changed.add(id);
    refresh();
  }
}

/** Whatever was in somebody's hand is so no more. */
function letGo() {
  dragged = null;
  for (const one of board.querySelectorAll(".held, .over")) one.classList.remove("held", "over");
}

function putBack(id, before, status) {
  // What leaves the page out of a hand would never tell that it was let go.
  if (dragged === id) letGo();
  const now = cardOf(id);
  const focus = focusIn(now);
  addToCount(now.dataset.status, -1);
  addToCount(status, 1);
  now.remove();
  before.classList.remove("held", "fresh");
  before.querySelector("details")?.removeAttribute("open");
  before.dataset.status = status;
  place(before);
  focusOn(before, focus, before.querySelector("a"));
}

function watchHands() {
  board.addEventListener("dragstart", (event) => {
    const card = event.target.closest?.(".card[draggable]");
    if (!card) return;
    dragged = card.dataset.issue;
    event.dataTransfer.setData("text/plain", dragged);
    event.dataTransfer.effectAllowed = "move";
    card.classList.add("held");
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
    const id = dragged;
    letGo();
    move(id, over.dataset.column);
  });
  document.addEventListener("dragend", letGo);
}

function watchKeys() {
  document.getElementById("mover").addEventListener("submit", (event) => {
    const [to, id] = (event.submitter?.value ?? "").split(" ");
    if (!id || !cardOf(id)) return;
    event.preventDefault();
    move(id, to);
  });
  board.addEventListener("keydown", (event) => {
    const card = event.target.closest("a") && event.target.closest(".card[draggable]");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const menu = event.key === "Escape" && event.target.closest("details[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (!card || !event.shiftKey || !step) return;
    event.preventDefault();
    const places = sections().map((section) => section.dataset.column);
    const to = places[places.indexOf(card.dataset.status) + step];
    // A key that is held would send it on to the end.
    if (to && !event.repeat) move(card.dataset.issue, to);
  });
  document.addEventListener("click", (event) => {
    for (const menu of board.querySelectorAll("details[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  board.addEventListener("click", (event) => {
    const link = event.target.closest("[data-more]");
    if (!link) return;
    event.preventDefault();
    const { column: status } = link.closest("[data-column]").dataset;
    const last = column(status).lastElementChild?.id;
    const focusNext = () => {
      const before = document.getElementById(last);
      (before?.nextElementSibling ?? before)?.querySelector("a")?.focus();
    };
    // In its turn: the board may be another by then.
    inTurn(() => more(column(status).parentElement)).then(focusNext, () => tell("the server cannot be reached", true));
  });
}

function everything() {
  wholeBoard = true;
  refresh();
}

/** Follows what others change. */
function followBoard() {
  const ofAgent = (name) => {
    const cards = name ? board.querySelectorAll(`[data-agent="${CSS.escape(name.toLowerCase())}"]`) : [];
    for (const card of cards) changed.add(card.dataset.issue);
    if (cards.length > 0) refresh();
  };
  const about = ({ data }) => {
    const hint = JSON.parse(data);
    const id = hint.kind === "issue" ? hint.id ?? hint.issueId : hint.issueId;
    // Claims of an agent that were renewed together, or of no issue: its cards.
    if (!id && hint.kind === "claim" && hint.agent) return ofAgent(hint.agent);
    if (!id) return everything();
    changed.add(id);
    refresh();
  };
  const ofRepository = ({ data }) => { if (!JSON.parse(data).id) everything(); };
  const ofRun = ({ data }) => ofAgent(JSON.parse(data).agent);
  listenTo("/api/events", { issue: about, claim: about, outbox: about, repository: ofRepository, run: ofRun }, everything, board.dataset.told);
}

watchHands();
watchKeys();
followBoard();
