"""Fails if a package is covered less than the floor that `[tool.streamgraph.coverage]` in pyproject.toml gives it.

    python tests/coverage_floors.py coverage.json

The report is what `coverage json` has written. A package is a folder of `src/streamgraph`; the modules beside those
folders count as `modules`, and `streamgraph_integrations` and `streamgraph_server` are one more each. Lines and
branches count alike. Needs Python 3.11, for `tomllib`.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path, PurePath
from typing import Any, DefaultDict, Dict, List

ROOT = Path(__file__).parents[1]


def package_of(path: str) -> str:
    """Return the name that a file's package has in the table of floors."""
    parts = PurePath(path.replace("\\", "/")).parts
    for other in ("streamgraph_integrations", "streamgraph_server"):
        if other in parts:
            return other
    below = parts[len(parts) - parts[::-1].index("streamgraph") :]
    return below[0] if len(below) > 1 else "modules"


def percentages(report: Dict[str, Any]) -> Dict[str, float]:
    """Return how much of each package is covered, in percent."""
    covered: DefaultDict[str, int] = defaultdict(int)
    total: DefaultDict[str, int] = defaultdict(int)
    for path, file in report["files"].items():
        numbers, package = file["summary"], package_of(path)
        covered[package] += numbers["covered_lines"] + numbers.get("covered_branches", 0)
        total[package] += numbers["num_statements"] + numbers.get("num_branches", 0)
    return {package: 100 * covered[package] / total[package] for package in sorted(total) if total[package]}


def faults(found: Dict[str, float], floors: Dict[str, float]) -> List[str]:
    """Return what is wrong: packages under their floors, without a floor, or without a report."""
    wrong = [
        f"{name} has {found[name]:.1f} %, under its floor of {floor} %"
        for name, floor in floors.items()
        if found.get(name, floor) < floor
    ]
    wrong += [f"{name} has no floor" for name in found if name not in floors]
    return wrong + [f"{name} has a floor, and is not in the report" for name in floors if name not in found]


def main(report: str) -> int:
    """Print the table, and return 1 if something is wrong."""
    import tomllib

    floors = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["streamgraph"]["coverage"]
    found = percentages(json.loads(Path(report).read_text(encoding="utf-8")))
    for name, percent in found.items():
        print(f"{name:26} {percent:5.1f} %   floor {floors.get(name, '-')}")
    wrong = faults(found, floors)
    print("\n".join(wrong) if wrong else "No package is under its floor.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
