"""How large the report's page is, how long it takes to write and to open, with 1,000 problems of 16 samples.

    python -m benchmarks.report.page [--problems 1000] [--samples 16]

Opening is measured in headless Chromium: from the request until the page is loaded and its script has run.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

from sstar_code.agent.report.render.page import write_page
from tests.support.browser import Browser, browse, find_browser
from tests.support.made_up_run import make_run

OPENED = 'performance.getEntriesByType("navigation")[0].loadEventEnd'
SECTION = """(async () => {
  const started = performance.now(), section = document.querySelector("details.problem");
  section.open = true;
  while (!section.querySelector(".body h3")) await new Promise((done) => setTimeout(done, 1));
  return performance.now() - started;
})()"""
SORT = """(() => {
  const started = performance.now();
  document.querySelectorAll("#table thead button")[2].click();
  document.body.offsetHeight;
  return performance.now() - started;
})()"""


def process_time(browser: Browser) -> float:
    """CPU seconds of the page's process."""
    metrics = browser.call("Performance.getMetrics")["metrics"]
    return next(item["value"] for item in metrics if item["name"] == "ProcessTime")


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        problems = make_run(folder, problems=options.problems, samples=options.samples)
        spent_s = time.process_time()
        print(f"run.db {(folder / 'run.db').stat().st_size / 1e6:.1f} MB")
        started_s = time.monotonic()
        page = write_page(folder, problems)
        took_s = time.monotonic() - started_s
        spent_s = time.process_time() - spent_s
        print(f"page {page.stat().st_size / 1e6:.2f} MB, written in {took_s:.1f} s ({spent_s:.1f} s of CPU)")
        print(
            f"memory of the writer at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
        )
        program = find_browser()
        if program is None:
            print("no browser here: opening was not measured")
            return
        with browse(program) as browser:
            browser.call("Performance.enable")
            opened, spent = [], []
            for _ in range(5):
                browser.open(folder / "manifest.json")
                before = process_time(browser)
                browser.open(page)
                opened.append(browser.run(OPENED))
                spent.append(process_time(browser) - before)
            print(f"open, five times, ms: {[round(time_ms) for time_ms in opened]}")
            print(f"median {statistics.median(opened):.0f} ms, CPU {statistics.median(spent):.2f} s")
            print(
                f"a section opens in {browser.run(SECTION):.0f} ms, sorting takes {browser.run(SORT):.0f} ms"
            )
            print(f"console messages: {len(browser.messages)}; requests: {sorted(set(browser.requests))}")


if __name__ == "__main__":
    main()
