"use strict";
// What the page does besides opening a span: keys, search, folding of subtrees. Without it the page can still be read.
const root = document.documentElement;
const rows = [...document.querySelectorAll("main > .span")];
const texts = rows.map((row) => row.textContent.toLowerCase());
const depth = (row) => Number(row.dataset.depth);
const head = (row) => row.querySelector(":scope > summary");
const branch = (row) => head(row).querySelector(".branch");
const search = document.getElementById("search");
const fold = document.getElementById("fold");
const chosen = new Set();
let at = 0;

function go(index) {
  if (index < 0 || index >= rows.length) return;
  reveal(index);
  head(rows[at]).tabIndex = -1;
  at = index;
  head(rows[at]).tabIndex = 0;
  head(rows[at]).focus();
  head(rows[at]).scrollIntoView({ block: "nearest" });
}

const isFolded = (row) => branch(row)?.getAttribute("aria-expanded") === "false";
const isShown = (index) => !rows[index].hidden;

function setFolded(row, folded) {
  branch(row)?.setAttribute("aria-expanded", String(!folded));
}

function hideFolded() {
  let hiddenBelow = Infinity;
  for (const row of rows) {
    if (depth(row) <= hiddenBelow) hiddenBelow = Infinity;
    row.hidden = depth(row) > hiddenBelow;
    if (!row.hidden && isFolded(row)) hiddenBelow = depth(row);
  }
}

function parentOf(index) {
  for (let above = index - 1; above >= 0; above--) if (depth(rows[above]) < depth(rows[index])) return above;
  return -1;
}

function reveal(index) {
  if (isShown(index)) return;
  for (let above = parentOf(index); above >= 0; above = parentOf(above)) setFolded(rows[above], false);
  hideFolded();
}

function next(step, wanted = isShown, from = at) {
  for (let index = from + step; index >= 0 && index < rows.length; index += step) if (wanted(index)) return index;
  return -1;
}

function around(step, wanted) {
  const index = next(step, wanted);
  return index >= 0 ? index : next(step, wanted, step > 0 ? -1 : rows.length);
}

const isError = (index) => rows[index].classList.contains("error");
const isMatch = (index) => texts[index].includes(search.value.toLowerCase());

function left() {
  const row = rows[at];
  if (branch(row) && !isFolded(row)) { setFolded(row, true); hideFolded(); } else go(parentOf(at));
}

function right() {
  const row = rows[at];
  if (isFolded(row)) { setFolded(row, false); hideFolded(); } else if (branch(row)) go(at + 1);
}

function mark() {
  const found = rows.filter((row, index) => {
    const fits = (!search.value || isMatch(index)) && (!chosen.size || chosen.has(row.dataset.service));
    row.classList.toggle("dim", !fits);
    return fits;
  });
  for (const call of document.querySelectorAll(".call")) {
    const touched = call.dataset.between.split(" ").some((service) => chosen.has(service));
    call.classList.toggle("chosen", touched);
    call.classList.toggle("dim", chosen.size > 0 && !touched);
  }
  document.getElementById("found").textContent = search.value ? `${found.length} of ${rows.length}` : "";
}

function darken() {
  const dark = root.style.colorScheme ? root.style.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.style.colorScheme = dark ? "light" : "dark";
}

function widen(share) {
  root.style.setProperty("--names", `${Math.min(Math.max(share, 15), 80)}%`);
}

const names = () => parseFloat(getComputedStyle(root).getPropertyValue("--names"));

function showAll() {
  search.value = "";
  chosen.clear();
  for (const box of document.querySelectorAll(".map button")) box.setAttribute("aria-pressed", "false");
  mark();
}

const dialog = document.querySelector("dialog");
const keys = {
  ArrowDown: () => go(next(1)), j: () => go(next(1)), ArrowUp: () => go(next(-1)), k: () => go(next(-1)),
  Home: () => go(0), End: () => go(next(-1, isShown, rows.length)), ArrowLeft: left, ArrowRight: right,
  e: () => go(around(1, isError)), E: () => go(around(-1, isError)),
  "/": () => search.focus(), w: () => fold?.click(), d: darken, "?": () => dialog.showModal(),
  "[": () => widen(names() - 5), "]": () => widen(names() + 5), Escape: showAll,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
  if (event.target === search) {
    if (event.key === "Enter") go(around(1, (index) => isMatch(index)));
    else if (event.key === "Escape") { showAll(); head(rows[at]).focus(); } else return;
  } else if (keys[event.key]) keys[event.key]();
  else return;
  event.preventDefault();
});

for (const [index, row] of rows.entries()) {
  head(row).tabIndex = index ? -1 : 0;
  head(row).addEventListener("focus", () => { head(rows[at]).tabIndex = -1; at = index; head(row).tabIndex = 0; });
  branch(row)?.addEventListener("click", (event) => {
    event.preventDefault();
    setFolded(row, !isFolded(row));
    hideFolded();
  });
}

for (const box of document.querySelectorAll(".map button")) {
  box.addEventListener("click", () => {
    const pressed = box.getAttribute("aria-pressed") !== "true";
    box.setAttribute("aria-pressed", String(pressed));
    if (pressed) chosen.add(box.dataset.service); else chosen.delete(box.dataset.service);
    mark();
  });
}

function follow() {
  const index = rows.findIndex((row) => `#${row.id}` === location.hash);
  if (index >= 0) { go(index); rows[index].open = true; }
}

// A class, because a style that asks for the state of the box (:has) makes a long page minutes slower to open.
const narrow = () => root.classList.toggle("folded", fold.checked);
if (fold) { fold.addEventListener("change", narrow); narrow(); }

search.addEventListener("input", mark);
document.getElementById("errors")?.addEventListener("click", keys.e);
document.getElementById("theme").addEventListener("click", darken);
document.getElementById("help").addEventListener("click", keys["?"]);
document.getElementById("split").addEventListener("pointerdown", (event) => {
  const box = document.querySelector("main").getBoundingClientRect();
  const drag = (moved) => widen(100 * (moved.clientX - box.left) / box.width);
  event.preventDefault();
  document.addEventListener("pointermove", drag);
  document.addEventListener("pointerup", () => document.removeEventListener("pointermove", drag), { once: true });
});
addEventListener("hashchange", follow);
follow();
