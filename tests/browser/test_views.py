"""The networks at work in a real browser: every control, by mouse and by keyboard, and what it changes."""

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("window")]


def keys(page, node, *names):
    """Press keys on a control that has the focus."""
    from selenium.webdriver.common.keys import Keys

    page.script("arguments[0].focus()", node)
    for name in names:
        node.send_keys(getattr(Keys, name, name))


def settled(page):
    """Wait for the next two frames."""
    page.driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
    )


def pixels(page, node):
    """What a canvas shows."""
    settled(page)
    return page.script("return arguments[0].toDataURL()", node)


@pytest.fixture
def srn(page, run):
    page.open(run("srn_anb2n") / "report.html")
    page.script("document.querySelector('#work').scrollIntoView()")
    return page


def position(page):
    settled(page)
    return int(page.named("Symbols read").get_attribute("aria-valuenow"))


def test_a_text_is_read_step_by_step(srn):
    assert position(srn) == 0
    probabilities = srn.one("#work table").text
    srn.named("Read one symbol").click()
    assert position(srn) == 1
    assert srn.one("#work table").text != probabilities
    assert len(srn.all("#work .state.lit")) == 1
    assert "After a" in srn.one("#work .verdict").text
    keys(srn, srn.named("Symbols read"), "ARROW_RIGHT", "ARROW_RIGHT", "ARROW_LEFT")
    assert position(srn) == 2
    srn.named("One symbol back").click()
    assert position(srn) == 1
    keys(srn, srn.named("Symbols read"), "END")
    assert position(srn) == len(srn.named("Text to read").get_attribute("value"))
    srn.named("Before the first symbol").click()
    assert position(srn) == 0


def test_reading_is_played_and_paused(srn):
    from selenium.webdriver.support.ui import WebDriverWait

    srn.named("Play or pause").click()
    WebDriverWait(srn.driver, 10).until(lambda driver: position(srn) >= 2)
    srn.named("Play or pause").click()
    stopped = position(srn)
    assert srn.named("Play or pause").text == "Play"
    assert position(srn) == stopped


def test_n_writes_words_and_a_text_that_leaves_the_language_is_told(srn):
    srn.put(srn.named("n"), 3)
    text = srn.named("Text to read")
    assert text.get_attribute("value").startswith("aaabbbbbb")
    srn.put(text, "abbb")
    keys(srn, srn.named("Symbols read"), "END")
    assert position(srn) == 4
    assert "leaves the language at symbol 4" in srn.one("#work .verdict").text
    srn.put(text, "axb")
    assert "x" in srn.one("#work .warn").text


def test_the_phase_portrait_follows_symbol_start_and_snapshot(srn):
    stage = srn.one("#work canvas")
    shown = pixels(srn, stage)
    srn.put(srn.named("Map of"), 1)
    of_b = pixels(srn, stage)
    assert of_b != shown
    keys(srn, stage, "ARROW_LEFT", "ARROW_LEFT", "ARROW_DOWN")
    moved = pixels(srn, stage)
    assert moved != of_b
    srn.named("Start where the network starts").click()
    assert pixels(srn, stage) != moved
    srn.put(srn.named("Snapshot"), 0)
    assert pixels(srn, stage) != of_b
    srn.put(srn.named("Member"), 2)
    assert pixels(srn, stage) != of_b


def start(page):
    """The activations of both hidden units where the text begins, as the page writes them."""
    return [float(node.text.replace("−", "-")) for node in page.all("#work .unitmap .value")]


def test_the_start_is_dragged(srn):
    from selenium.webdriver import ActionChains

    assert position(srn) == 0
    stage, before = srn.one("#work canvas"), start(srn)
    srn.script("arguments[0].scrollIntoView({block: 'center'})", stage)
    side = stage.size["width"]
    plane = side - 56  # inside the margins: 46 px on the left, 10 on the right, 10 above, 40 below
    x = 46 + plane * (before[0] + 1.08) / 2.16 - side / 2
    y = side - 40 - (plane + 6) * (before[1] + 1.08) / 2.16 - side / 2
    away = plane // 4 if before[0] < 0 else -plane // 4
    mouse = ActionChains(srn.driver).move_to_element_with_offset(stage, round(x), round(y))
    mouse.click_and_hold().move_by_offset(away, 0).release().perform()
    settled(srn)
    assert start(srn)[0] - before[0] == pytest.approx(away / plane * 2.16, abs=0.05)
    srn.named("Start where the network starts").click()
    settled(srn)
    assert start(srn) == before


def test_an_lstm_is_turned_in_space_by_its_hidden_or_context_units(page, run):
    page.open(run("lstm_anb2nc3n") / "report.html")
    stage = page.one("#work canvas")
    shown = pixels(page, stage)
    keys(page, stage, "ARROW_LEFT", "ARROW_UP")
    turned = pixels(page, stage)
    assert turned != shown
    page.put(page.named("Units"), "context")
    of_context = pixels(page, stage)
    assert of_context != turned
    page.put(page.named("Units"), "both")
    assert pixels(page, stage) != of_context
    headings = page.one("#work").text
    assert all(name in headings for name in ("Hidden units", "Context units", "Forget gate"))


def check(page, run):
    page.open(run("check_sigmoid") / "report.html")
    page.script("document.querySelector('#work').scrollIntoView()")
    return page.one("#work .score")


def test_a_dividing_line_is_moved_and_turned_and_outputs_follow(page, run):
    score = check(page, run)
    before, table = score.text, page.one("#work .truth").text
    (moving, turning), *_ = zip(page.all("#work .handle:not(.turn)"), page.all("#work .handle.turn"), strict=True)
    keys(page, moving, *["ARROW_RIGHT"] * 5)
    settled(page)
    moved = page.one("#work .truth").text
    assert moved != table
    assert score.text != before
    keys(page, turning, *["ARROW_UP"] * 5)
    settled(page)
    assert page.one("#work .truth").text != moved
    page.named("Reset the weights to those of the chosen network").click()
    settled(page)
    assert page.one("#work .truth").text == table
    weight = page.one("#work .weights input")
    page.put(weight, float(weight.get_attribute("value")) + 3)
    settled(page)
    assert page.one("#work .truth").text != table


def test_points_are_added_moved_turned_over_and_removed(page, run):
    check(page, run)
    assert len(page.all("#work .plane .point")) == 9
    page.named("Add point").click()
    settled(page)
    assert len(page.all("#work .plane .point")) == 10
    point = page.all("#work .plane .point")[0]
    name = point.get_attribute("aria-label")
    keys(page, point, "ENTER")
    settled(page)
    toggled = page.all("#work .plane .point")[0].get_attribute("aria-label")
    assert re.search(r"label \d", toggled)[0] != re.search(r"label \d", name)[0]
    keys(page, page.all("#work .plane .point")[0], "ARROW_RIGHT")
    settled(page)
    assert page.all("#work .plane .point")[0].get_attribute("aria-label") != toggled
    keys(page, page.all("#work .plane .point")[0], "DELETE")
    settled(page)
    assert len(page.all("#work .plane .point")) == 9
    page.named("Reset points").click()
    settled(page)
    assert page.all("#work .plane .point")[0].get_attribute("aria-label") == name


def test_the_plane_follows_the_course_of_training(page, run):
    check(page, run)
    trained = page.one("#work .truth").text
    page.put(page.named("Snapshot"), 0)
    settled(page)
    assert page.one("#work .truth").text != trained


def test_the_images_behind_a_cell_are_opened_and_taken(page, run):
    page.open(run("kmnist_conv") / "report.html")
    cells = page.all("#work .confusions button, #work .confusions [role=gridcell]")
    assert len(cells) >= 100
    page.script("arguments[0].click()", cells[0])
    settled(page)
    thumbs = page.all("#work .thumb")
    assert 0 < len(thumbs) <= 12
    probabilities = page.one("#work .bars").text
    page.script("arguments[0].click()", thumbs[0])
    page.driver.implicitly_wait(2)
    page.driver.execute_async_script("setTimeout(arguments[0], 600)")
    assert page.one("#work .bars").text != probabilities


def test_a_character_is_drawn_and_named(page, run):
    from selenium.webdriver import ActionChains

    page.open(run("kmnist_conv") / "report.html")
    pad = page.one("#work .pad canvas")
    page.script("arguments[0].scrollIntoView({block: 'center'})", pad)
    ActionChains(page.driver).move_to_element_with_offset(pad, -60, -40).click_and_hold().move_by_offset(
        100, 10
    ).move_by_offset(-40, 60).release().perform()
    page.driver.execute_async_script("setTimeout(arguments[0], 600)")
    drawn = page.one("#work .bars").text
    shares = [float(share) for share in re.findall(r"([\d.]+) %", drawn)]
    assert len(shares) == 10
    assert sum(shares) == pytest.approx(100, abs=1.5)
    maps = page.one("#work .tiles canvas")
    lit = pixels(page, maps)
    page.named("Clear the pad").click()
    page.driver.execute_async_script("setTimeout(arguments[0], 600)")
    assert page.one("#work .bars").text != drawn
    assert pixels(page, maps) != lit
