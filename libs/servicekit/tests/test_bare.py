import subprocess
import sys

SAYS = """
import sys
import servicekit.bus
print(sorted({"rich", "aiohttp"} & set(sys.modules)))
import aiohttp, rich
print(aiohttp.__name__, rich.__name__)
"""


def test_libraries_do_without_what_nothing_here_uses_and_others_have_it_all_the_same():
    said = subprocess.run([sys.executable, "-c", SAYS], check=True, capture_output=True, text=True, timeout=50).stdout
    assert said.splitlines() == ["[]", "aiohttp rich"]
