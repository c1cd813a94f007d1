"""Reading a server's metrics, whatever stands on the page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.models.load import read_load

WORDS = st.sampled_from(
    [
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:kv_cache_usage_perc",
        '{engine="0"}',
        " ",
        "\n",
        "3.0",
        "1e+06",
        "1.2.3",
        "9e99999",
        "NaN",
        "-1",
        "# TYPE",
    ]
)


@given(st.lists(WORDS, max_size=20).map("".join))
def test_no_page_crashes_the_reader(page):
    """Any text is read as some load or none; a load counts requests, none of them negative."""
    load = read_load(page)
    if load is not None:
        assert load.running >= 0
        assert load.waiting >= 0


def test_numbers_are_read_as_servers_write_them():
    """Powers of ten and time stamps are understood; a value that is no number counts for nothing."""
    page = (
        "vllm:num_requests_running{} 1.2e+01 1700000000\n"
        "vllm:num_requests_waiting{} NaN\n"
        "vllm:gpu_cache_usage_perc{} 0.5\n"
    )
    load = read_load(page)
    assert load is not None
    assert (load.running, load.waiting, load.kv_use) == (12, 0, 0.5)
