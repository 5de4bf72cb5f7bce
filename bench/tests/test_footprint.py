import os
import subprocess
import sys

from bench.footprint import Footprint, children, cpu_seconds, gauge, status

TICKS = os.sysconf("SC_CLK_TCK")


def test_this_very_process_has_a_footprint():
    mine = Footprint.of(os.getpid())
    assert mine.rss_mb > 5
    assert mine.threads >= 1
    assert mine.files >= 3


def test_a_family_is_a_process_with_its_children():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children(os.getpid())
        family, alone = Footprint.of_family(os.getpid()), Footprint.of(os.getpid())
        assert family.rss_mb > alone.rss_mb
        assert family.threads > alone.threads
        child.communicate(b"\n")
    assert child.pid not in children(os.getpid())


def test_resident_memory_is_told_in_megabytes():
    assert status("Name:\tpython\nVmRSS:\t   2048 kB\nThreads:\t7\n") == (2.0, 7)


def test_a_name_with_blanks_and_brackets_does_not_move_the_fields():
    text = f"7 (a ) (b) S 1 2 3 4 5 6 7 8 9 10 {3 * TICKS} {2 * TICKS} 0 0"
    assert cpu_seconds(text) == 5.0


def test_a_gauge_is_the_sum_over_its_labels():
    text = '# HELP x_total y\nx{state="a"} 3.0\nx{state="b"} 4.0\nx_other 9.0\nlone 2.0\n'
    assert gauge(text, "x") == 7.0
    assert gauge(text, "lone") == 2.0
