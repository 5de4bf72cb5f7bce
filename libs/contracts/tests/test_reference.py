from pathlib import Path

from contracts import reference


def test_the_written_reference_is_the_generated_one():
    written = Path(__file__).parents[3] / "docs" / "events.md"
    assert written.read_text() == reference.render(), "run `make docs`"
