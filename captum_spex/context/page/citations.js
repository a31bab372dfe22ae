"use strict";
(() => {
  const MOST = 12; // sources and groups in the panel
  const FAINT = 0.1; // of the largest score: not marked
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const root = document.documentElement;

  // Texts reach the page as text only.
  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  const signOf = (value) => (value > 0 ? "pos" : value < 0 ? "neg" : "");
  const signed = (value) => (value ? (value < 0 ? "−" : "+") + Math.abs(value).toPrecision(3) : "0");
  const mark = (player) => `[${player + 1}]`;

  function numberOf([, value, error]) {
    const made = element("span", "number", signed(value));
    if (error) made.append(element("span", "doubt", ` ± ${Number(error.toPrecision(2))}`));
    return made;
  }

  function rowOf(tag, words, term, most) {
    const row = element(tag, "row");
    const bar = element("span", "bar");
    const part = element("i", signOf(term[1]));
    part.style.width = `${most ? (100 * Math.abs(term[1])) / most : 0}%`;
    bar.append(part);
    row.append(element("span", "words", words), numberOf(term), bar);
    return row;
  }

  // --- sources and the answer ---------------------------------------------------------------------------------------

  const cards = data.sources.map((source, player) => {
    const card = element("li", "source");
    const said = element("span", "said");
    if (source.title) said.append(element("bdi", "title", source.title));
    said.append(element("bdi", "", source.text));
    card.append(element("span", "mark", mark(player)), said, element("span", "number"));
    byId("sources").append(card);
    return card;
  });
  const buttons = [];
  data.pieces.forEach(([text, span]) => {
    if (span === null) {
      byId("answer").append(text);
      return;
    }
    const button = element("button", "span", text);
    button.type = "button";
    const cited = data.spans[span].cited.map(mark).join("");
    if (cited) button.append(element("sup", "", cited));
    button.addEventListener("mouseenter", () => pinned === null && show(span));
    button.addEventListener("mouseleave", () => pinned === null && show(null));
    button.addEventListener("focus", () => pinned === null && show(span));
    button.addEventListener("click", () => {
      pinned = pinned === span ? null : span;
      show(span);
    });
    buttons[span] = button;
    byId("answer").append(button);
  });
  let pinned = null;

  // --- a sentence and its sources -----------------------------------------------------------------------------------

  const largestOf = (terms) => terms.reduce((most, term) => Math.max(most, Math.abs(term[1])), 0);

  function markSources(terms, most) {
    terms.forEach(([[player], value]) => {
      const size = most ? Math.abs(value) / most : 0;
      const card = cards[player];
      card.className = `source ${size > FAINT ? `on ${signOf(value)}` : ""}`;
      card.style.setProperty("--size", size.toFixed(3));
      card.lastChild.textContent = signed(value);
    });
  }

  function pair(players, isOn) {
    players.forEach((player) => cards[player].classList.toggle("paired", isOn));
  }

  function show(span) {
    buttons.forEach((button, place) => {
      button.classList.toggle("self", place === span);
      button.setAttribute("aria-pressed", String(place === pinned));
    });
    byId("stage").classList.toggle("active", span !== null);
    const chosen = span === null ? data.whole : data.spans[span];
    const most = largestOf(chosen.sources);
    markSources(chosen.sources, most);
    byId("panel-title").textContent = span === null ? "The whole answer" : `Part ${span + 1} of the answer`;
    byId("panel-text").textContent = data.value;
    const shown = [...chosen.sources].sort((a, b) => b[1] - a[1]).slice(0, MOST);
    byId("panel-list").replaceChildren(
      ...shown.map((term) => rowOf("li", `${mark(term[0][0])} ${data.sources[term[0][0]].name}`, term, most)),
    );
    const groups = chosen.groups.slice(0, MOST);
    byId("groups-title").textContent = groups.length ? "Together" : "";
    const strongest = largestOf(groups);
    byId("groups-list").replaceChildren(
      ...groups.map((term) => {
        const meaning = term[0].length > 2 ? data.several : term[1] > 0 ? data.together : data.instead;
        const words = `${term[0].map(mark).join(" + ")} ${meaning}`;
        const item = element("li");
        const row = rowOf("button", words, term, strongest);
        row.type = "button";
        for (const name of ["mouseenter", "focus"]) row.addEventListener(name, () => pair(term[0], true));
        for (const name of ["mouseleave", "blur"]) row.addEventListener(name, () => pair(term[0], false));
        item.append(row);
        return item;
      }),
    );
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pinned = null;
    show(null);
  });
  byId("theme").addEventListener("click", () => {
    const isDark = root.dataset.theme !== "dark";
    root.dataset.theme = isDark ? "dark" : "light";
    byId("theme").setAttribute("aria-pressed", String(isDark));
  });
  if (window.matchMedia("(prefers-color-scheme: dark)").matches) byId("theme").click();
  show(null);
})();
