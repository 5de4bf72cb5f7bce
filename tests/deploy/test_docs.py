import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BOTH_LANGUAGES = ["", "start", "concepts", "use/inbox", "use/numbers", "use/board", "use/bot", "use/team"]
ASKED_FOR = re.compile(r"""<(?:script|img|iframe|link)[^>]*?(?:src|href)=["']?(?:https?:)?//[^"'> ]+""")


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config), "--site-dir", str(site)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT / "mkdocs.yml", folder)
    assert built.returncode == 0, built.stderr
    return folder


def test_the_site_is_built_without_a_warning_and_its_users_part_in_two_languages(site):
    for page in BOTH_LANGUAGES:
        spanish, english = (site / page / "index.html", site / "en" / page / "index.html")
        assert 'lang="es"' in spanish.read_text()
        assert 'lang="en"' in english.read_text()
        assert spanish.read_text().partition("<h1")[2] != english.read_text().partition("<h1")[2]


def test_a_page_asks_nobody_else_for_anything(site):
    asked = {found.group() for page in site.rglob("*.html") for found in ASKED_FOR.finditer(page.read_text())}
    assert {link for link in asked if 'rel="canonical"' not in link} == set()


def test_a_dead_link_fails_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A page\n\n[elsewhere](nowhere.md)\n")
    validation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["validation"]
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump({"site_name": "A site", "strict": True, "validation": validation}))
    built = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert built.returncode != 0
    assert "nowhere.md" in built.stderr
