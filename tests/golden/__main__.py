"""``python -m tests.golden`` writes the golden files anew."""

from __future__ import annotations

import shutil
import sys

from tests.golden.documents import BASES, FOLDER, rendered


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for base in BASES:
        for name, text in rendered(base).items():
            path = FOLDER / base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"{path.relative_to(FOLDER.parent.parent.parent)}\n")


if __name__ == "__main__":
    main()
