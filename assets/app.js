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
