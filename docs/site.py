"""A hook of MkDocs: what stands elsewhere in the repository and belongs into the site is taken from there."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"openapi.json": "web/openapi.json", "changelog.md": "CHANGELOG.md", "operate/kubernetes.md": "deploy/k8s/README.md"}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add each as if it stood in the folder of the documentation."""
    for place, source in ELSEWHERE.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text()))
    return files
