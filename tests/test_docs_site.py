"""The site of the documentation: it builds without a warning, loads nothing from a network, and can be searched."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.needs import need, need_module

# The site is built.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
#: What a browser loads by itself: tag to the attribute with the address.
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}


def build(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out), *words]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    need_module("mkdocs", "edgerig[docs]")
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loads(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev"):
            return
        self.addresses += [values[name] or "" for name in (LOADED.get(tag),) if name in values]


def test_every_page_is_there_and_has_a_way_to_it(site: Path) -> None:
    for place in ("index", "CONTRIBUTING", "docs/agent", "docs/plugins/runtime", "docs/coming-from/mllib"):
        assert (site / f"{place}.html").is_file()
    assert "edgerig firmware console" in (site / "reference" / "cli.html").read_text()
    assert "invoke_method" in (site / "reference" / "api" / "runtimes.html").read_text()
    assert "lease" in (site / "reference" / "glossary.html").read_text()


def test_nothing_is_loaded_from_a_network(site: Path) -> None:
    # The page of what is not found is only ever served, and has its addresses from the top.
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(pages) > 40
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        assert loads.addresses
        for address in loads.addresses:
            assert not re.match(r"(?:\w+:)?//", address), f"{page.relative_to(site)} loads {address}"
            assert (page.parent / address.partition("?")[0].partition("#")[0]).exists(), f"{page.name}: {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import\s)\s*[\"']?(?:https?:)?//", style.read_text()), style.name


def test_a_page_outside_the_navigation_or_a_dead_link_ends_the_build(tmp_path: Path) -> None:
    need_module("mkdocs", "edgerig[docs]")
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    config = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Start\n\n[there](absent.md) and [here](index.md#no-such-heading)\n")
    (tmp_path / "docs" / "alone.md").write_text("# Alone\n")
    small = {
        "site_name": "x",
        "nav": ["index.md"],
        "validation": config["validation"],
        "plugins": [],
        "markdown_extensions": ["toc"],
    }
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(small))
    done = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert done.returncode != 0
    for words in ("absent.md", "no-such-heading", "alone.md"):
        assert words in done.stdout + done.stderr


@pytest.fixture
def driver(tmp_path: Path) -> Iterator["webdriver.Chrome"]:  # noqa: F821 - imported where there is a browser
    need("chromium", "chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900")
    for word in (*flags, f"--user-data-dir={tmp_path}"):
        options.add_argument(word)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield chrome
    chrome.quit()


@pytest.mark.slow
@pytest.mark.browser
def test_the_search_works_from_a_disk(site: Path, driver: "webdriver.Chrome") -> None:  # noqa: F821
    from selenium.webdriver.common.by import By

    driver.get((site / "docs" / "plugins" / "index.html").as_uri())
    box = driver.find_element(By.CSS_SELECTOR, "input.md-search__input")
    box.click()
    box.send_keys("delegates-list")
    deadline = time.monotonic() + 60
    found: list[str] = []
    while not any("Edge AI tester" in text for text in found):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
        found = [item.text for item in driver.find_elements(By.CSS_SELECTOR, ".md-search-result__item")]
