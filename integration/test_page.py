"""The page of a result in a real browser: Debian's chromium, driven by playwright."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import captum_spex
from captum_spex.context import Source
from captum_spex.exports.page import fragment, to_html
from captum_spex.games.text import ClassificationGame, embedded_model
from captum_spex.indices import resolve_index
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel, Spectrum
from tools import citations_picture

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: apt-get install chromium")

NASTY = (
    "<script>window.broken=1</script>",
    "</script><img src='http://127.0.0.1:9/x' onerror=window.broken=2>",
    '"quotes"',
    "it's",
    "back\\slash \\u003c",
    "שלום",
    "مرحبا",
    "\U0001f469\u200d\U0001f52c\U0001f389",
    "",
    "   ",
    "&lt;b&gt;",
)
GENEROUS = 1_200_000  # milliseconds, of which a few are needed: a machine may be busy
MOST_MILLISECONDS = 100
MOST_REPAINTS = 6  # of the whole page, where a machine is too slow for that
TRIES = 10
READABLE = 4.5  # contrast of text, WCAG AA
TIMES = " × "  # noqa: RUF001
DESK, PHONE = {"width": 1200, "height": 800}, {"width": 360, "height": 740}

# --- made things ------------------------------------------------------------------------------------------------------


def of_terms(n_players, terms, *, index="BII", max_order=3, names=None):
    model = GameModel((Spectrum.from_terms(terms, n_players),))
    resolved = resolve_index(index, max_order, n_players)
    return Interactions.from_model(model, resolved, n_evaluations=5000, faithfulness=0.9, names=names)


@cache
def long_text(n_words=500, n_groups=2000):
    rng = np.random.default_rng(0)
    words = (
        "the film opens with a long quiet shot , and nobody speaks . then the plot thickens a little " * 40
    ).split()
    terms = {(word,): rng.normal() * rng.random() ** 2 for word in range(n_words)}
    while len(terms) < n_words + n_groups:
        size = 3 if len(terms) % 10 == 0 else 2
        first = int(rng.integers(n_words))
        group = {first, *(np.clip(first + rng.integers(-25, 26, size=size - 1), 0, n_words - 1).tolist())}
        if len(group) == size:
            terms[tuple(sorted(group))] = rng.normal() * rng.random() ** 2
    # In the Banzhaf index a term counts for itself only: as many terms as were planted have a value.
    found = of_terms(n_words, terms, names=tuple(words[:n_words]))
    assert np.count_nonzero(found.values) == len(terms)
    return found


@cache
def a_table():
    weights = np.random.default_rng(1).normal(size=60) * np.linspace(1, 0, 60) ** 3
    kinds = ("radius", "texture", "area", "points", "symmetry", "dimension")
    names = [f"{kind} {number}" for number in range(10) for kind in kinds]

    def game(masks):
        return masks @ weights + 1.5 * (masks[:, 0] & masks[:, 23]) - 1.2 * (masks[:, 11] & masks[:, 12])

    return captum_spex.explain(game, 60, budget=300, names=names, random_state=0)


def nasty():
    terms = {(player,): 0.1 * player for player in range(len(NASTY))}
    return of_terms(len(NASTY), {**terms, (0, 1): 2.0, (5, 6, 8): -1.0, (3, 7): 0.5}, names=NASTY)


@pytest.fixture(scope="module")
def sentence():
    game = ClassificationGame(*embedded_model(), "Her acting never fails to impress", target="positive")
    return captum_spex.explain(game, max_order=3, random_state=0)


@pytest.fixture(scope="module")
def browser():
    with playwright_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=GENEROUS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Open the page of a result; afterwards nothing may have left the page, and nothing may have been complained of."""
    contexts, complaints = [], []

    def opened(result, *, viewport=DESK, file=None, **settings):
        path = tmp_path / "page.html"
        if file is None:
            to_html(result, path, index=result.index)
        else:
            path.write_text(file, encoding="utf-8")
        context = browser.new_context(viewport=viewport, **settings)
        context.set_default_timeout(GENEROUS)
        contexts.append(context)
        view = context.new_page()
        view.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        view.on("pageerror", lambda error: complaints.append(str(error)))
        allowed = (path.as_uri(), "data:", "about:srcdoc")
        view.on("request", lambda asked: asked.url.startswith(allowed) or complaints.append(asked.url))
        view.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}") or dialog.dismiss())
        view.goto(path.as_uri())
        return view

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


# --- what a test sees -------------------------------------------------------------------------------------------------


def word(view, name):
    return view.locator(".chip").filter(has_text=re.compile(f"^{re.escape(name)}$")).first


def panel_of(view):
    return view.locator("#panel-title").inner_text()


def listed(view):
    """What the panel lists: names and values."""
    names = view.locator("#panel-list .words").all_inner_texts()
    numbers = view.locator("#panel-list .number").all_inner_texts()
    return list(zip(names, numbers, strict=True))


def column(view, number):
    return view.locator(f"#rows td:nth-child({number})").all_inner_texts()


def values(view):
    return [float(text.replace("−", "-")) for text in column(view, 3)]  # noqa: RUF001


def shown(number, decimals=3):
    return f"{number:+.{decimals}f}".replace("-", "−")  # noqa: RUF001


CONTRASTS = """(selector) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, k) => sum + part * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll(selector)].filter((node) => node.offsetParent).map((node) => {
    const [one, other] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  });
}"""


# --- hover, tap, keys -------------------------------------------------------------------------------------------------


def test_hovering_a_word_shows_what_it_interacts_with_and_the_numbers(visit, sentence):
    view = visit(sentence)
    assert panel_of(view) == "Largest interactions"
    word(view, "never").hover()
    assert panel_of(view) == "never"
    assert f"Shapley value {shown(sentence['never'])}" in view.locator("#panel-text").inner_text()
    expected = [
        (TIMES.join(sentence.names[player] for player in term if player != 2), shown(value))
        for term, value in sentence.items()
        if 2 in term and len(term) > 1
    ]
    assert listed(view) == expected
    assert {"fails", "impress"} <= set(view.locator(".chip.on").all_inner_texts())
    assert view.locator("#arcs path").count() == view.locator(".chip.on").count() > 0
    view.mouse.move(2, 2)
    assert panel_of(view) == "Largest interactions"
    assert view.locator("#arcs path, .chip.on, .chip.self").count() == 0


def test_every_number_is_called_by_its_index(visit, sentence):
    """A page of SII has Shapley values of players, of which the page of k-SII that is shown by default has none."""
    view = visit(sentence)
    assert view.locator("#kind").inner_text() == "Shapley value"
    assert view.locator("#kind-of-lines").inner_text() == "lines: interactions, SII, same colours"
    assert view.locator("#order option").all_inner_texts() == ["all", "1: Shapley value", "2: SII", "3: SII"]
    assert "SII values do not add up to f(all)" in view.locator("#facts").inner_text()
    word(view, "never").click()
    assert f"Shapley value {shown(sentence['never'])}" in view.locator("#panel-text").inner_text()
    view.locator("#panel-list .row").first.click()
    text = view.locator("#panel-text").inner_text()
    assert text.startswith(f"SII, interaction of order 2 {shown(sentence[('never', 'fails')])}")
    assert text.endswith("Shapley value of its players")
    view = visit(sentence, file=to_html(sentence))
    assert view.locator("#kind").inner_text() == "k-SII"
    assert "The terms add up to f(all)" in view.locator("#facts").inner_text()
    assert "main effect" not in view.locator("body").inner_text().lower()


def test_red_raises_and_blue_lowers_wherever_a_term_is_shown(visit):
    terms = {(0,): -0.5, (1,): 0.5, (2,): -0.25, (0, 1): 0.5, (0, 2): -0.25}  # Banzhaf 1, -1, 0.5; pairs 2, -1
    result = of_terms(3, terms, names=("one", "two", "three"))
    view = visit(result)
    word(view, "one").click()
    painted = """([bar, property]) => {
        const numbers = getComputedStyle(bar)[property].match(/[0-9.]+/g).map(Number);
        return numbers[0] > numbers[2] ? "red" : "blue";
    }"""
    for row in view.locator("#rows tr").all():
        value = row.locator("td").nth(2).inner_text()
        if re.search("[1-9]", value):
            bar = row.locator(".bar i").element_handle()
            assert view.evaluate(painted, [bar, "backgroundColor"]) == ("red" if value[0] == "+" else "blue")
    for chip, value in zip(view.locator(".chip").element_handles(), result.first_order(), strict=True):
        assert view.evaluate(painted, [chip, "backgroundColor"]) == ("red" if value > 0 else "blue")
    arcs = [view.evaluate(painted, [arc, "stroke"]) for arc in view.locator("#arcs path").element_handles()]
    assert arcs == ["red", "blue"]


def test_standard_errors_are_shown(visit):
    result = a_table()
    view = visit(result)
    word(view, "radius 0").hover()
    error = result.errors_of(result.sets)[list(result).index((0,))]
    assert f"± {float(f'{error:.2g}'):g}" in view.locator("#panel-text").inner_text()
    assert view.locator("#rows td.doubt").count() == view.locator("#rows tr").count()


def test_a_click_pins_and_escape_unpins(visit, sentence):
    view = visit(sentence)
    word(view, "never").click()
    word(view, "impress").hover()
    assert panel_of(view) == "never"
    assert word(view, "never").get_attribute("aria-pressed") == "true"
    assert view.locator("#status").inner_text() == "never is pinned"
    word(view, "fails").click()
    assert panel_of(view) == "fails"
    assert word(view, "never").get_attribute("aria-pressed") == "false"
    view.keyboard.press("Escape")
    assert panel_of(view) == "Largest interactions"
    assert view.locator("#unpin").is_hidden()


def test_a_tap_pins_on_a_phone_and_the_button_unpins(visit, sentence):
    view = visit(sentence, viewport=PHONE, has_touch=True, is_mobile=True)
    word(view, "never").tap()
    assert panel_of(view) == "never"
    assert listed(view)[0] == ("fails", shown(sentence[("never", "fails")]))
    word(view, "impress").tap()
    assert panel_of(view) == "impress"
    view.locator("#unpin").tap()
    assert panel_of(view) == "Largest interactions"


def test_everything_works_from_the_keyboard(visit, sentence):
    view = visit(sentence)
    focused = "document.activeElement.textContent.trim()"
    for _ in range(2):
        view.keyboard.press("Tab")
    assert view.evaluate(focused) == "Her"
    assert panel_of(view) == "Her"
    view.keyboard.press("ArrowRight")
    view.keyboard.press("ArrowRight")
    assert panel_of(view) == view.evaluate(focused) == "never"
    assert view.locator('.chip[tabindex="0"]').all_inner_texts() == ["never"]
    assert view.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    view.keyboard.press("Enter")
    view.keyboard.press("End")
    assert (view.evaluate(focused), panel_of(view)) == ("impress", "never")
    view.keyboard.press("Escape")
    view.keyboard.press("Home")
    assert panel_of(view) == "Her"
    view.keyboard.press("Tab")  # into the panel
    assert view.evaluate("document.activeElement.className") == "row"
    view.keyboard.press("Enter")
    assert "Her" in panel_of(view).split(TIMES)
    assert view.evaluate("document.activeElement.id") == "unpin"


def test_arrows_move_between_lines(visit):
    view = visit(long_text(60, 30))
    boxes = [view.locator(".chip").nth(place).bounding_box() for place in range(60)]
    view.locator(".chip").nth(2).focus()
    view.keyboard.press("ArrowDown")
    place = int(view.evaluate("document.activeElement.dataset.place"))
    lines = sorted({box["y"] for box in boxes})
    assert boxes[place]["y"] == lines[1]
    middle = [box["x"] + box["width"] / 2 for box in boxes]
    nearest = min((at for at in range(60) if boxes[at]["y"] == lines[1]), key=lambda at: abs(middle[at] - middle[2]))
    assert place == nearest
    view.keyboard.press("ArrowUp")
    assert boxes[int(view.evaluate("document.activeElement.dataset.place"))]["y"] == lines[0]


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_are_shown_and_not_run(visit):
    view = visit(nasty())
    texts = view.locator(".chip").evaluate_all("chips => chips.map((chip) => chip.textContent)")
    assert texts == ["(empty)" if name == "" else "(blank)" if not name.strip() else name for name in NASTY]
    assert view.evaluate("[window.broken, document.images.length, document.scripts.length]") == [None, 0, 2]
    view.locator(".chip").nth(0).click()
    assert panel_of(view) == NASTY[0]
    assert listed(view)[0][0] == NASTY[1]
    view.locator("#find").fill("<script>")
    assert set(column(view, 1)) == {NASTY[0], NASTY[0] + TIMES + NASTY[1]}
    assert view.locator(".chip bdi").count() == len(NASTY)


def test_a_text_from_right_to_left(visit):
    words = ("التمثيل", "لا", "يفشل", "أبدا")
    view = visit(of_terms(4, {(0,): 1.0, (1, 2): 2.0}, names=words))
    left = [view.locator(".chip").nth(place).bounding_box()["x"] for place in range(4)]
    assert left == sorted(left, reverse=True)
    view.locator(".chip").nth(0).focus()
    view.keyboard.press("ArrowLeft")
    assert panel_of(view) == words[1]


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_holds_the_terms(visit, sentence):
    view = visit(sentence)
    assert column(view, 1) == [sentence.name_of(term).replace(" x ", TIMES) for term in sentence]
    assert column(view, 3) == [shown(value) for value in sentence.values]
    assert view.locator("#count").inner_text() == "41 of 41 terms"


def test_every_column_sorts_both_ways(visit):
    result = a_table()
    view = visit(result)
    sorted_by = {
        "Players": lambda: [name.lower() for name in column(view, 1)],
        "Order": lambda: [int(text) for text in column(view, 2)],
        "Value": lambda: values(view),
        "Standard error": lambda: [float(text) for text in column(view, 4)],
        "Size": lambda: [abs(value) for value in values(view)],
    }
    for name, read in sorted_by.items():
        head = view.get_by_role("columnheader", name=name)
        firsts = []
        for _ in range(2):
            head.get_by_role("button").click()
            is_down = head.get_attribute("aria-sort") == "descending"
            found = read()
            if name == "Players":
                found = [
                    [int(part) if part.isdigit() else part for part in re.findall(r"\d+|[a-z]+", n)] for n in found
                ]
            assert found == sorted(found, reverse=is_down)
            firsts.append(found[0])
        assert firsts[0] != firsts[1]
        assert view.locator("th[aria-sort=none]").count() == 4


def test_order_and_text_filter(visit, sentence):
    view = visit(sentence)
    view.locator("#order").select_option("2")
    assert view.locator("#count").inner_text() == "15 of 41 terms"
    assert set(column(view, 2)) == {"2"}
    view.locator("#find").fill("fails NEVER")
    assert column(view, 1) == [TIMES.join(("never", "fails"))]
    view.locator("#find").fill("no such word")
    assert view.locator("#count").inner_text() == "0 of 41 terms"
    assert view.locator("#rows").inner_text() == "No matching terms."


def test_a_name_of_several_words_is_found_as_a_whole(visit):
    view = visit(a_table())
    view.locator("#find").fill("radius 2")
    assert all(re.search(r"\bradius 2\b", name) for name in column(view, 1))


def test_rows_are_drawn_as_they_are_asked_for(visit):
    view = visit(long_text())
    assert view.locator("#rows tr").count() == 200
    assert view.locator("#more").inner_text() == "Show 200 more of 2,300"
    view.locator("#more").click()
    assert view.locator("#rows tr").count() == 400
    assert view.locator("#count").inner_text() == "2,500 of 2,500 terms"


def test_a_term_of_the_table_is_shown_in_the_text(visit, sentence):
    view = visit(sentence)
    view.get_by_role("button", name=TIMES.join(("never", "fails")), exact=True).last.click()
    assert panel_of(view) == TIMES.join(("never", "fails"))
    assert sorted(view.locator(".chip.self").all_inner_texts()) == ["fails", "never"]
    assert view.locator("#arcs path").count() == 1
    assert "interaction of order 2" in view.locator("#panel-text").inner_text()


# --- how it looks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("made", [long_text, a_table], ids=["long text", "table"])
def test_everything_can_be_read(visit, scheme, made):
    view = visit(made(), color_scheme=scheme)
    assert view.evaluate("document.documentElement.dataset.theme") == scheme
    for selector in (".chip", "h1, h2, li, p, label, output, input, select, button", "td, .doubt, .gap, #legend span"):
        found = view.evaluate(CONTRASTS, selector)
        assert found
        assert min(found) >= READABLE, selector


def test_dark_and_light_can_be_switched(visit, sentence):
    view = visit(sentence, color_scheme="light")
    switch = view.get_by_role("button", name="Dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert view.evaluate(ground) == "rgb(255, 255, 255)"
    switch.click()
    assert switch.get_attribute("aria-pressed") == "true"
    assert sum(int(part) for part in re.findall(r"\d+", view.evaluate(ground))) < 120
    view.emulate_media(color_scheme="light")
    assert view.evaluate("document.documentElement.dataset.theme") == "dark"
    assert min(view.evaluate(CONTRASTS, ".chip")) >= READABLE


def test_the_colours_are_those_of_shap(visit):
    view = visit(of_terms(3, {(0,): -1.0, (1,): 1.0}, names=("up", "down", "none")))
    ground = "chips => chips.map((chip) => getComputedStyle(chip).backgroundColor)"
    up, down, none = (
        [round(255 * float(part)) for part in re.findall(r"[\d.]+", color)] if "srgb" in color else color
        for color in view.locator(".chip").evaluate_all(ground)
    )
    assert (up, down) == ([255, 0, 81], [0, 139, 251])
    assert none == "rgb(240, 241, 244)"


@pytest.mark.parametrize("made", [long_text, a_table, nasty])
def test_nothing_is_wider_than_a_phone(visit, made):
    view = visit(made(), viewport=PHONE, has_touch=True, is_mobile=True)
    assert view.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    view.locator(".chip").nth(3).tap()
    assert view.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert view.locator("#panel").bounding_box()["width"] <= PHONE["width"]
    assert view.locator("#panel-title").is_visible()


def test_it_prints_on_white_without_controls(visit, sentence):
    view = visit(sentence, color_scheme="dark")
    view.emulate_media(media="print")
    assert view.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--page').trim()") == "#ffffff"
    for control in ("#theme", "#order", "#find", "#help"):
        assert view.locator(control).is_hidden()
    assert view.locator("#rows tr").count() == 41
    assert view.pdf(format="A4").startswith(b"%PDF")


def test_who_wants_no_motion_gets_none(visit, sentence):
    view = visit(sentence, reduced_motion="reduce")
    moving = "nodes => nodes.filter((node) => parseFloat(getComputedStyle(node).transitionDuration) > 0).length"
    assert view.locator("*").evaluate_all(moving) == 0
    view = visit(sentence, reduced_motion="no-preference")
    assert view.locator("*").evaluate_all(moving) == 6


# --- accessibility ----------------------------------------------------------------------------------------------------


def test_every_control_has_a_name_and_every_player_says_its_numbers(visit, sentence):
    view = visit(sentence)
    word(view, "never").click()
    controls = view.locator("button:visible, select:visible, input:visible")
    assert controls.count() > 41 + 6
    snapshot = view.locator("body").aria_snapshot()
    assert not re.search(r"- (button|combobox|searchbox|textbox)(?! \")", snapshot)
    label = word(view, "never").get_attribute("aria-label")
    assert label.startswith(f"never: Shapley value {shown(sentence['never'])}, strongest interaction with fails")
    for role in ("main", "toolbar", "complementary", "search", "table"):
        assert view.get_by_role(role).count() == 1, role
    assert view.get_by_role("columnheader").count() == 4
    ids = view.locator("[id]").evaluate_all("nodes => nodes.map((node) => node.id)")
    assert len(set(ids)) == len(ids)
    assert view.evaluate("document.documentElement.lang") == "en"


# --- size and speed ---------------------------------------------------------------------------------------------------


PAINTED = """(done) => requestAnimationFrame(() => {  // laid out and painted before the message arrives
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = done;
  port2.postMessage(0);
})"""


def repaint(view):
    """Milliseconds that the machine takes to paint the whole page once more."""
    return view.evaluate(
        f"""() => new Promise((found) => {{
          const start = performance.now();
          document.body.style.opacity = 0.99;
          ({PAINTED})(() => found(performance.now() - start));
        }})"""
    )


def first_hover(view):
    """Milliseconds from the mouse's arrival at a word to the painted frame, on a page just opened."""
    view.evaluate(
        f"""() => addEventListener("mouseover", (event) => {{
          if (!event.target.closest(".chip") || window.started) return;
          window.started = performance.now();
          ({PAINTED})(() => {{ window.took = performance.now() - window.started; }});
        }}, {{ capture: true }})"""
    )
    view.locator(".chip").nth(100).hover()
    view.wait_for_function("window.took !== undefined")
    return view.evaluate("window.took")


def test_the_first_hover_over_500_words_is_fast(visit, tmp_path):
    text, hovers, repaints = long_text(), [], []
    while len(hovers) < TRIES and not is_fast(hovers, repaints):  # the machine may have been at something else
        view = visit(text)
        repaints.append(repaint(view))
        hovers.append(first_hover(view))
        assert view.locator(".chip.on").count() > 0
    assert (tmp_path / "page.html").stat().st_size < 1_000_000
    print(f"first hover: {min(hovers):.1f} ms; the whole page once more: {min(repaints):.1f} ms")
    assert is_fast(hovers, repaints)


def is_fast(hovers, repaints):
    return bool(hovers) and min(hovers) < max(MOST_MILLISECONDS, MOST_REPAINTS * min(repaints))


@pytest.mark.parametrize("n_players", [1, 1500, 100_000])
def test_other_sizes(visit, n_players):
    terms = {(0,): 1.0} if n_players == 1 else {(3,): 1.0, (7, n_players - 1): -2.0}
    view = visit(of_terms(n_players, terms, max_order=min(2, n_players)))
    assert view.locator(".chip").count() == min(n_players, 3)
    view.locator(".chip").last.hover()
    assert panel_of(view) == str(n_players - 1)
    assert view.locator(".chip.on").all_inner_texts() == ([] if n_players == 1 else ["7"])


def test_a_result_without_influence(visit):
    view = visit(of_terms(3, {(): 1.0}))
    assert view.locator(".chip").count() == 3
    assert "no interactions" in view.locator(".chip").first.get_attribute("aria-label")
    view = visit(of_terms(3000, {(): 1.0}, max_order=1))
    assert set(view.locator("#rows tr td:nth-child(3)").all_inner_texts()) == {"0.000"}


# --- in a notebook ----------------------------------------------------------------------------------------------------


def test_the_fragment_works_in_a_page_of_others_and_leaves_it_alone(visit):
    hostile = (
        "<style>.chip{display:none!important} body{color:red}</style><button class='chip' id='words'>mine</button>"
    )
    view = visit(None, file=f"<!doctype html><meta charset=utf-8><body>{hostile}{fragment(nasty())}")
    frame = view.frame_locator("iframe")
    assert frame.locator(".chip").count() == len(NASTY)
    frame.locator(".chip").nth(0).hover()
    assert frame.locator("#panel-title").inner_text() == NASTY[0]
    frame.get_by_role("button", name="Dark").click()
    assert view.evaluate("[getComputedStyle(document.body).color, document.documentElement.dataset.theme ?? null]") == [
        "rgb(255, 0, 0)",
        None,
    ]
    assert view.evaluate("window.broken ?? null") is None


# --- the page of citations --------------------------------------------------------------------------------------------


def test_the_page_of_citations_lights_up_the_sources_of_a_sentence(visit):
    view = visit(None, file=citations_picture.citations().to_html())
    view.hover(".span >> nth=1")
    assert panel_of(view) == "Part 2 of the answer"
    lit = [card.locator(".mark").inner_text() for card in view.locator(".source.on").all()]
    assert lit == ["[3]", "[4]"]
    assert listed(view)[0] == ("[3] Handbook: Red keys open what Otto locked.", "+3.00")
    view.click(".span >> nth=0")
    view.hover("#groups-list button >> nth=0")
    assert view.locator("#groups-list .words").all_inner_texts() == ["[1] + [2] can replace each other"]
    assert view.locator(".source.paired .mark").all_inner_texts() == ["[1]", "[2]"]
    view.keyboard.press("Escape")
    assert panel_of(view) == "The whole answer"


def test_markup_in_citations_is_shown_and_not_run(visit):
    given = citations_picture.citations()
    sources = tuple(Source(text, title=text) for text in NASTY[: len(given.context)])
    view = visit(None, file=replace(given, context=sources, query=NASTY[1]).to_html())
    assert view.evaluate("window.broken") is None
    assert view.locator(".source .title").all_inner_texts()[:2] == list(NASTY[:2])
