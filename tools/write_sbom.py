"""Write sbom.cdx.json: the packages of requirements.lock and the models in resources/, as CycloneDX 1.6.

python3 tools/write_sbom.py
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from samcarry.paper import sbom


def bill_of_materials() -> dict[str, Any]:
    """The whole document."""
    return sbom.bill_of_materials(ROOT)


if __name__ == "__main__":
    text = json.dumps(bill_of_materials(), indent=1, ensure_ascii=False)
    (ROOT / "sbom.cdx.json").write_text(text + "\n", encoding="utf-8")
