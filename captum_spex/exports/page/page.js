"use strict";
(() => {
  const MOST_MARKED = 200; // interactions of a player that are marked in the text
  const MOST_ARCS = 24;
  const MOST_LISTED = 30; // in the panel
  const ROWS = 200; // of the table, drawn at once
  const SHORT = 40; // up to this many players, the panel stands below them
  const DENSE = 120; // beyond, players are drawn smaller
  const FAINT = 0.01; // of the largest interaction: not marked
  const SVG = "http://www.w3.org/2000/svg";

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const { terms, values, std_errors: errors, value_names: kinds } = data;
  const words = byId("words");
  const panel = byId("panel");

  // --- names and numbers: names reach the page as text only ----------------------------------------------------------

  const isBlank = (name) => name.trim() === "";
  const names = data.players.map((player, place) => (data.names ? data.names[place] : String(player)));
  const inWords = names.map((name) => (name === "" ? "(empty)" : isBlank(name) ? "(blank)" : name));
  const labels = terms.map((term) => term.map((place) => inWords[place]).join(" × "));

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /** A name, isolated: its direction does not affect the text around it. */
  const nameOf = (place) => element("bdi", isBlank(names[place]) ? "name-empty" : "", inWords[place]);

  function appendNames(parent, places) {
    places.forEach((place, number) => parent.append(number ? " × " : "", nameOf(place)));
    return parent;
  }

  const largestOf = (numbers) => numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const largest = largestOf(values);
  const decimals = Math.min(6, Math.max(0, 3 - Math.floor(Math.log10(largest || 1))));
  const isPlain = largest === 0 || (largest >= 1e-3 && largest < 1e6);

  function signed(value) {
    if (value === null) return "unknown";
    const digits = isPlain ? Math.abs(value).toFixed(decimals) : Math.abs(value).toExponential(2);
    if (Number(digits) === 0) return isPlain ? digits : "0";
    return (value < 0 ? "−" : "+") + digits;
  }

  const doubtOf = (row) => (errors && errors[row] !== null ? String(Number(errors[row].toPrecision(2))) : "");
  const withDoubt = (row) => signed(values[row]) + (doubtOf(row) ? ` ± ${doubtOf(row)}` : "");
  const counted = (count) => count.toLocaleString("en-US");
  const signOf = (value) => (value > 0 ? "pos" : value < 0 ? "neg" : "");

  function numberOf(row) {
    const number = element("span", "number", signed(values[row]));
    if (doubtOf(row)) number.append(element("span", "doubt", ` ± ${doubtOf(row)}`));
    return number;
  }

  function barOf(row, most) {
    const bar = element("span", "bar");
    bar.setAttribute("aria-hidden", "true");
    const part = element("i", signOf(values[row]));
    part.style.width = `${most ? (100 * Math.abs(values[row])) / most : 0}%`;
    bar.append(part);
    return bar;
  }

  // --- terms of each player: rows are sorted, the largest first -------------------------------------------

  const mainRow = new Map();
  const groupsOf = names.map(() => []);
  const groups = [];
  terms.forEach((term, row) => {
    if (term.length === 1) mainRow.set(term[0], row);
    else {
      groups.push(row);
      for (const place of term) groupsOf[place].push(row);
    }
  });
  const mainOf = (place) => (mainRow.has(place) ? values[mainRow.get(place)] : 0);
  const mains = names.map((_, place) => mainOf(place));
  const largestMain = largestOf(mains);
  const largestGroup = groups.length ? Math.abs(values[groups[0]]) : 0;
  const isSeen = (row) => Math.abs(values[row]) > FAINT * largestGroup;
  const isZero = (row) => !/[1-9]/.test(signed(values[row]).split("e")[0]);
  const mainText = (place) => (mainRow.has(place) ? withDoubt(mainRow.get(place)) : signed(0));

  // --- the players ----------------------------------------------------------------------------------------------------

  const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
  const firstLetters = names.map((name) => (name.match(/\p{L}/u) || [""])[0]).filter(Boolean);
  const isRtl = firstLetters.filter((letter) => RIGHT_TO_LEFT.test(letter)).length * 2 > firstLetters.length;

  function spoken(place) {
    const first = groupsOf[place][0];
    if (first === undefined || isZero(first)) return `${inWords[place]}: ${kinds[0]} ${mainText(place)}, no interactions`;
    const others = terms[first].filter((other) => other !== place).map((other) => inWords[other]);
    const strongest = `strongest interaction with ${others.join(" and ")} ${withDoubt(first)}`;
    return `${inWords[place]}: ${kinds[0]} ${mainText(place)}, ${strongest}`;
  }

  function chipOf(place) {
    const chip = element("button", `chip ${signOf(mains[place])}`);
    chip.type = "button";
    chip.dataset.place = place;
    chip.tabIndex = place === 0 ? 0 : -1;
    chip.style.setProperty("--size", largestMain ? (Math.abs(mains[place]) / largestMain).toFixed(3) : 0);
    chip.setAttribute("aria-label", spoken(place));
    chip.setAttribute("aria-pressed", "false");
    chip.append(nameOf(place));
    return chip;
  }

  const chips = names.map((_, place) => chipOf(place));
  const arcs = document.createElementNS(SVG, "svg");
  arcs.id = "arcs";
  arcs.setAttribute("aria-hidden", "true");

  /** A mark where players are not shown. */
  function gapBefore(player, last) {
    const count = player - last - 1;
    if (count <= 0) return [];
    const gap = element("span", "gap", chips.length > DENSE ? "…" : `… ${counted(count)} more`);
    gap.title = `${counted(count)} more, not shown`;
    return [gap];
  }

  function drawPlayers() {
    const parts = [arcs];
    data.players.forEach((player, place) => {
      parts.push(...gapBefore(player, place ? data.players[place - 1] : -1), chips[place]);
    });
    parts.push(...gapBefore(data.n_players, data.players.length ? data.players[data.players.length - 1] : -1));
    words.dir = isRtl ? "rtl" : "ltr";
    words.classList.toggle("dense", chips.length > DENSE);
    byId("view").classList.toggle("short", chips.length <= SHORT);
    words.replaceChildren(...parts);
    byId("kind").textContent = kinds[0];
    byId("kind-of-lines").textContent = kinds.length > 1 ? `lines: interactions, ${kinds[1]}, same colours` : "";
    byId("least").textContent = signed(-largestMain);
    byId("most").textContent = signed(largestMain);
  }

  // --- marks and arcs -------------------------------------------------------------------------------------------------

  let marked = [];
  let drawn = []; // [from, to, row]

  function clearMarks() {
    for (const chip of marked) chip.classList.remove("self", "on", "with-pos", "with-neg");
    marked = [];
    words.classList.remove("active");
    drawn = [];
    drawArcs();
  }

  function mark(place, ...classes) {
    chips[place].classList.add(...classes);
    marked.push(chips[place]);
  }

  function markPlayer(place) {
    clearMarks();
    mark(place, "self");
    const seen = new Set([place]);
    for (const row of groupsOf[place].filter(isSeen).slice(0, MOST_MARKED)) {
      for (const other of terms[row]) {
        if (seen.has(other)) continue;
        seen.add(other);
        chips[other].style.setProperty("--with", `${Math.round(35 + 65 * (Math.abs(values[row]) / largestGroup))}%`);
        mark(other, "on", `with-${signOf(values[row])}`);
        drawn.push([place, other, row]);
      }
    }
    words.classList.add("active");
    drawArcs();
  }

  function markTerm(row) {
    clearMarks();
    const term = terms[row];
    for (const place of term) mark(place, "self");
    drawn = term.slice(1).map((place, number) => [term[number], place, row]);
    words.classList.add("active");
    drawArcs();
  }

  /** Above the words if both are in one line, else from the lower edge of one to the upper edge of the other. */
  function pathOf(one, other) {
    const [x0, x1] = [one, other].map((chip) => chip.offsetLeft + chip.offsetWidth / 2);
    if (Math.abs(one.offsetTop - other.offsetTop) < one.offsetHeight / 2) {
      const top = Math.min(one.offsetTop, other.offsetTop) - 3;
      const lift = Math.min(10 + Math.abs(x1 - x0) * 0.1, 42);
      return `M${x0} ${top}C${x0} ${top - lift * 1.33} ${x1} ${top - lift * 1.33} ${x1} ${top}`;
    }
    const isDown = one.offsetTop < other.offsetTop;
    const y0 = isDown ? one.offsetTop + one.offsetHeight + 3 : one.offsetTop - 3;
    const y1 = isDown ? other.offsetTop - 3 : other.offsetTop + other.offsetHeight + 3;
    const bend = (y1 - y0) / 2 + (isDown ? 8 : -8);
    return `M${x0} ${y0}C${x0} ${y0 + bend} ${x1} ${y1 - bend} ${x1} ${y1}`;
  }

  function drawArcs() {
    const paths = drawn.slice(0, MOST_ARCS).map(([one, other, row]) => {
      const path = document.createElementNS(SVG, "path");
      const size = largestGroup ? Math.abs(values[row]) / largestGroup : 0;
      path.setAttribute("class", signOf(values[row]));
      path.setAttribute("d", pathOf(chips[one], chips[other]));
      path.setAttribute("stroke-width", (1 + 4 * size).toFixed(2));
      path.setAttribute("stroke-opacity", (0.45 + 0.5 * size).toFixed(2));
      return path;
    });
    arcs.replaceChildren(...paths);
  }

  // --- the panel ------------------------------------------------------------------------------------------------------

  function listed(row, places) {
    const button = element("button", "row");
    button.type = "button";
    button.dataset.row = row;
    button.append(appendNames(element("span", "words"), places), numberOf(row), barOf(row, largest));
    const item = element("li");
    item.append(button);
    return item;
  }

  function fillPanel(title, text, items, more) {
    byId("panel-title").replaceChildren(...title);
    byId("panel-text").replaceChildren(...text);
    byId("panel-list").replaceChildren(...items);
    byId("panel-more").textContent = more;
    panel.scrollTop = 0;
  }

  /** The largest of these terms, without those that are shown as 0, and the number of others. */
  function listOf(rows, most, placesOf) {
    const chosen = rows.slice(0, most).filter((row) => !isZero(row));
    const left = rows.length - chosen.length;
    const more = left ? `and ${counted(left)} smaller: see the table` : "";
    return [chosen.map((row) => listed(row, placesOf(row))), chosen.length ? more : ""];
  }

  function overviewPanel() {
    const [items, more] = listOf(groups, MOST_LISTED / 2, (row) => terms[row]);
    const none = items.length ? "" : groups.length ? "All of them are 0." : "There are none on this page.";
    fillPanel(["Largest interactions"], [none], items, more);
  }

  function playerPanel(place) {
    const othersOf = (row) => terms[row].filter((other) => other !== place);
    const [items, more] = listOf(groupsOf[place], MOST_LISTED, othersOf);
    const number = mainRow.has(place) ? numberOf(mainRow.get(place)) : element("span", "number", signed(0));
    const text = [`${kinds[0]} `, number, element("br"), items.length ? "interacts with" : "no interactions here"];
    fillPanel([nameOf(place)], text, items, more);
  }

  function termPanel(row) {
    const order = terms[row].length;
    const kind = order === 1 ? `${kinds[0]} ` : `${kinds[order - 1]}, interaction of order ${order} `;
    const items = order === 1 ? [] : terms[row].map((place) => mainRow.get(place)).filter((own) => own !== undefined);
    const text = [kind, numberOf(row), ...(items.length ? [element("br"), `${kinds[0]} of its players`] : [])];
    fillPanel([appendNames(element("span"), terms[row])], text, items.map((own) => listed(own, terms[own])), "");
  }

  // --- what is shown: a player or a term for the moment, or pinned ----------------------------------------------------

  let shown = null; // {place} or {row}
  let pinned = null;
  const isSame = (one, other) =>
    one === other || (one !== null && other !== null && one.place === other.place && one.row === other.row);

  function show(what) {
    if (isSame(what, shown)) return;
    shown = what;
    if (what === null) {
      clearMarks();
      overviewPanel();
    } else if (what.place !== undefined) {
      markPlayer(what.place);
      playerPanel(what.place);
    } else {
      markTerm(what.row);
      termPanel(what.row);
    }
  }

  function pin(what) {
    if (pinned !== null && pinned.place !== undefined) chips[pinned.place].setAttribute("aria-pressed", "false");
    pinned = what;
    if (what !== null && what.place !== undefined) chips[what.place].setAttribute("aria-pressed", "true");
    byId("unpin").hidden = what === null;
    panel.classList.toggle("pinned", what !== null);
    show(what);
    const name = what === null ? "" : what.place !== undefined ? inWords[what.place] : labels[what.row];
    byId("status").textContent = what === null ? "Nothing is pinned" : `${name} is pinned`;
  }

  const pinOrLetGo = (what) => pin(isSame(what, pinned) ? null : what);
  const glance = (what) => pinned === null && show(what);
  const chipAt = (target) => target instanceof Element && target.closest(".chip");
  const placeOf = (chip) => ({ place: Number(chip.dataset.place) });

  function backToRest() {
    const chip = chipAt(document.activeElement);
    glance(chip && chip.matches(":focus-visible") ? placeOf(chip) : null);
  }

  // --- moving between the players -------------------------------------------------------------------------------------

  /** The nearest player in the next line (1) or the previous one (-1). */
  function inOtherLine(place, step) {
    const middle = (chip) => chip.offsetLeft + chip.offsetWidth / 2;
    const from = chips[place];
    const beyond = chips.filter((chip) => (chip.offsetTop - from.offsetTop) * step > from.offsetHeight / 2);
    if (!beyond.length) return place;
    const line = step > 0 ? beyond[0].offsetTop : beyond[beyond.length - 1].offsetTop;
    const near = beyond.filter((chip) => Math.abs(chip.offsetTop - line) < from.offsetHeight / 2);
    const far = (chip) => Math.abs(middle(chip) - middle(from));
    return Number(near.reduce((best, chip) => (far(chip) < far(best) ? chip : best)).dataset.place);
  }

  function target(key, place) {
    const ahead = isRtl ? "ArrowLeft" : "ArrowRight";
    if (key === "ArrowLeft" || key === "ArrowRight") {
      return Math.min(chips.length - 1, Math.max(0, place + (key === ahead ? 1 : -1)));
    }
    if (key === "ArrowDown" || key === "ArrowUp") return inOtherLine(place, key === "ArrowDown" ? 1 : -1);
    return key === "Home" ? 0 : key === "End" ? chips.length - 1 : null;
  }

  function makeStop(place) {
    for (const chip of words.querySelectorAll('.chip[tabindex="0"]')) chip.tabIndex = -1;
    chips[place].tabIndex = 0;
  }

  function listenToPlayers() {
    words.addEventListener("mouseover", (event) => {
      const chip = chipAt(event.target);
      if (chip) glance(placeOf(chip));
    });
    words.addEventListener("mouseleave", backToRest);
    words.addEventListener("focusin", (event) => {
      const chip = chipAt(event.target);
      makeStop(Number(chip.dataset.place));
      glance(placeOf(chip));
    });
    words.addEventListener("click", (event) => {
      const chip = chipAt(event.target);
      if (chip) pinOrLetGo(placeOf(chip));
    });
    words.addEventListener("keydown", (event) => {
      const chip = chipAt(event.target);
      const next = chip && !event.ctrlKey && !event.metaKey && !event.altKey ? target(event.key, Number(chip.dataset.place)) : null;
      if (next === null) return;
      event.preventDefault();
      chips[next].focus();
    });
    new ResizeObserver(drawArcs).observe(words);
  }

  function listenToPanel() {
    panel.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (!row) return;
      pin({ row: Number(row.dataset.row) });
      byId("unpin").focus({ preventScroll: true }); // the row that had the focus is gone
    });
    panel.addEventListener("mouseover", (event) => {
      const row = event.target.closest(".row");
      if (row) markTerm(Number(row.dataset.row));
    });
    panel.addEventListener("focusin", (event) => {
      if (event.target.matches(".row:focus-visible")) markTerm(Number(event.target.dataset.row));
    });
    const again = () => {
      if (shown === null) clearMarks();
      else if (shown.place !== undefined) markPlayer(shown.place);
      else markTerm(shown.row);
    };
    panel.addEventListener("mouseleave", again);
    panel.addEventListener("focusout", again);
    byId("unpin").addEventListener("click", () => {
      const place = pinned !== null && pinned.place !== undefined ? pinned.place : 0;
      pin(null);
      const stop = words.querySelector('.chip[tabindex="0"]') || chips[place];
      if (stop) stop.focus({ preventScroll: true });
      show(null);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || (pinned === null && shown === null)) return;
      pin(null);
    });
  }

  // --- the table ------------------------------------------------------------------------------------------------------

  const collator = new Intl.Collator(undefined, { numeric: true });
  const errorOf = (row) => (errors && errors[row] !== null ? errors[row] : -1);
  const COLUMNS = [
    { key: "name", head: "Players", compare: (a, b) => collator.compare(labels[a], labels[b]) },
    { key: "order", head: "Order", compare: (a, b) => terms[a].length - terms[b].length },
    { key: "value", head: "Value", compare: (a, b) => values[a] - values[b] },
    { key: "error", head: "±", label: "Standard error", compare: (a, b) => errorOf(a) - errorOf(b) },
    { key: "size", head: "Size", compare: (a, b) => Math.abs(values[a]) - Math.abs(values[b]) },
  ].filter((column) => errors || column.key !== "error");
  const searched = labels.map((label) => label.toLowerCase());
  let sorting = { key: "size", isDown: true };
  let found = [];
  let nDrawn = 0;

  function cell(className, ...content) {
    const made = element("td", className);
    made.append(...content);
    return made;
  }

  function tableRow(row) {
    const button = appendNames(element("button", "term"), terms[row]);
    button.type = "button";
    button.dataset.row = row;
    const line = element("tr");
    line.append(cell("", button), cell("right number", String(terms[row].length)), cell("right number", signed(values[row])));
    if (errors) line.append(cell("right number doubt", doubtOf(row)));
    line.append(cell("", barOf(row, largest)));
    return line;
  }

  function drawMore() {
    byId("rows").append(...found.slice(nDrawn, nDrawn + ROWS).map(tableRow));
    nDrawn = Math.min(found.length, nDrawn + ROWS);
    byId("more").hidden = nDrawn === found.length;
    byId("more").textContent = `Show ${counted(Math.min(ROWS, found.length - nDrawn))} more of ${counted(found.length - nDrawn)}`;
  }

  /** "mean radius" finds that name; otherwise "never fails" finds both words, "never × fails" both in any case. */
  function finder(text) {
    const having = (parts) => (row) => parts.every((part) => searched[row].includes(part));
    const split = (separator) => text.split(separator).map((part) => part.trim()).filter(Boolean);
    const phrases = having(split(/[×,]/));
    return searched.some((_, row) => phrases(row)) ? phrases : having(split(/[\s×,]+/));
  }

  function drawTable() {
    const order = Number(byId("order").value);
    const isFound = finder(byId("find").value.toLowerCase());
    const column = COLUMNS.find((one) => one.key === sorting.key);
    const turn = sorting.isDown ? -1 : 1;
    found = terms
      .map((_, row) => row)
      .filter((row) => (!order || terms[row].length === order) && isFound(row))
      .sort((a, b) => turn * column.compare(a, b) || a - b);
    byId("rows").replaceChildren();
    nDrawn = 0;
    drawMore();
    if (!found.length) {
      const nothing = cell("nothing", terms.length ? "No matching terms." : "There are no terms.");
      nothing.colSpan = COLUMNS.length;
      const line = element("tr");
      line.append(nothing);
      byId("rows").append(line);
    }
    byId("count").textContent = `${counted(found.length)} of ${counted(terms.length)} terms`;
  }

  function sortBy(key) {
    const isDown = sorting.key === key ? !sorting.isDown : key !== "name";
    sorting = { key, isDown };
    markSorting();
    drawTable();
  }

  function markSorting() {
    for (const head of byId("heads").children) {
      const isOn = head.dataset.key === sorting.key;
      head.setAttribute("aria-sort", !isOn ? "none" : sorting.isDown ? "descending" : "ascending");
    }
  }

  function headOf(column) {
    const head = element("th", `of-${column.key}${column.key === "name" || column.key === "size" ? "" : " right"}`);
    head.scope = "col";
    head.dataset.key = column.key;
    const button = element("button", "", column.head);
    button.type = "button";
    if (column.label) button.setAttribute("aria-label", column.label);
    button.addEventListener("click", () => sortBy(column.key));
    head.append(button);
    return head;
  }

  function buildTable() {
    byId("heads").replaceChildren(...COLUMNS.map(headOf));
    const orders = [...new Set(terms.map((term) => term.length))].sort((a, b) => a - b);
    const choices = [["", "all"], ...orders.map((order) => [order, `${order}: ${kinds[order - 1]}`])];
    byId("order").replaceChildren(
      ...choices.map(([value, text]) => {
        const choice = element("option", "", text);
        choice.value = value;
        return choice;
      }),
    );
    markSorting();
    drawTable();
    byId("order").addEventListener("change", drawTable);
    byId("find").addEventListener("input", drawTable);
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("more").addEventListener("click", () => {
      const first = nDrawn;
      drawMore();
      byId("rows").children[first].querySelector("button").focus({ preventScroll: true });
    });
    byId("rows").addEventListener("click", (event) => {
      const button = event.target.closest(".term");
      if (!button) return;
      const row = Number(button.dataset.row);
      pinOrLetGo({ row });
      if (pinned !== null) chips[terms[row][0]].scrollIntoView({ block: "center" });
    });
  }

  // --- light and dark -------------------------------------------------------------------------------------------------

  function setTheme(isDark) {
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    byId("theme").setAttribute("aria-pressed", String(isDark));
  }

  function followTheme() {
    const wish = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => setTheme(wish.matches);
    follow();
    wish.addEventListener("change", follow);
    byId("theme").addEventListener("click", () => {
      wish.removeEventListener("change", follow);
      setTheme(document.documentElement.dataset.theme !== "dark");
    });
  }

  followTheme();
  drawPlayers();
  overviewPanel();
  buildTable();
  listenToPlayers();
  listenToPanel();
})();
