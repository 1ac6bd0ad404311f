"""Debian's chromium, without a window, for tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.needs import need

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

#: Removes what a page has stored, and tells whether that was something.
FORGET = "try { const stored = localStorage.length; localStorage.clear(); return stored > 0; } catch { return true; }"
#: Scripts that open all that is folded, and show all tabs at once.
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true);"
SHOW_ALL = OPEN_ALL + "document.querySelectorAll('.panel').forEach(p => p.hidden = false);"

#: Text nodes that are visible, with the contrast of their colour against what lies behind them (WCAG 2.1, 1.4.3).
CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
  const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const behind = (e) => { const layers = [];
  for (let x = e; x; x = x.parentElement) layers.unshift(rgba(getComputedStyle(x).backgroundColor));
  return layers.reduce((under, top) => over(top, under), [255, 255, 255, 1]); };
const linear = (v) => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
const light = (c) => { const [r, g, b] = c.slice(0, 3).map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const bad = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  const content = walker.currentNode.textContent.trim();
  if (!content || !e.checkVisibility() || e.closest('script, style, .visually-hidden')) continue;
  const style = getComputedStyle(e), under = behind(e);
  const own = rgba(e.closest('svg') ? style.fill : style.color), text = over(own, under);
  const [a, b] = [light(text), light(under)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  seen++;
  if (ratio < (large ? 3 : 4.5)) bad.push([ratio.toFixed(2), e.className.baseVal ?? e.className, content.slice(0, 40)]);
}
return [seen, bad];
"""


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Any]:
    """A browser with an empty ``profile``, a folder that is removed at the end, and further ``flags``."""
    need("chromium", "chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def load(browser: Any, url: str, *, width: int = 1280, dark: bool = False) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(url)
    # Loaded once more where it was shown otherwise than at a first visit, or where only the part behind # is new.
    if browser.execute_script(FORGET) or "#" in url:
        browser.refresh()
