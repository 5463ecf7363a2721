"""`python -m tests.browser.gallery FOLDER`: one page that shows every picture of `./run shots`."""

import sys
from html import escape
from itertools import groupby
from pathlib import Path

_HEAD = """<!doctype html><meta charset="utf-8"><title>First Visit, every screen</title>
<style>body{font:14px sans-serif;margin:1rem}section{display:flex;gap:.5rem;overflow-x:auto}
img{height:420px;border:1px solid #999}</style><h1>First Visit, every screen</h1>
"""


def _screen(name: str) -> str:
    """`desk.day` of `desk.day-1440x900-dark.png`."""
    return name.rsplit("-", 2)[0]


def main(folder: Path) -> None:
    names = sorted(picture.name for picture in folder.glob("*.png"))
    rows = [_HEAD]
    for screen, pictures in groupby(names, key=_screen):
        rows.append(f"<h2>{escape(screen)}</h2><section>")
        rows += [f'<a href="{name}"><img src="{name}" title="{name}"></a>' for name in pictures]
        rows.append("</section>")
    (folder / "index.html").write_text("\n".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
