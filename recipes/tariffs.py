"""Makes `src/feilun/ledger/tariffs.toml` from the price map that LiteLLM ships (MIT).

    python recipes/tariffs.py .../site-packages/litellm 2026-11-24

The day is the one on which the map was taken: it says what held then, and nothing of before.
Left out: what is not a chat model, has ended, is free, or costs more from some length of the
prompt on, because one price a token would then be a guess.
"""

import json
import re
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "src" / "feilun" / "ledger" / "tariffs.toml"
MAP = "model_prices_and_context_window_backup.json"

# A provider's own models, under the names that its own API takes.
PROVIDERS = {
    "openai": r"(gpt-(4o|4\.1|5|5\.\d|6)(-(mini|nano|sol|luna|astra|terra))?|o3|o3-mini|o4-mini)"
              r"(-\d{4}-\d{2}-\d{2})?",
    "anthropic": r"claude-(haiku|sonnet|opus)-[\d-]+",
    "gemini": r"gemini-[\d.]+-(pro|flash|flash-lite)(-preview)?",
    "mistral": r"(mistral-(large|medium|small)-\d[\d-]*|ministral-\d+b-\d+|codestral-\d+)",
    "xai": r"grok-[\d.]+",
    "deepseek": r"deepseek-(chat|reasoner|flash|v[\d.]+(-flash|-pro)?)",
    "dashscope": r"(qwen[\d.]*-(max|plus|flash|turbo|coder-plus|coder-flash)|qwq-plus)",
    "moonshot": r"(kimi-k[\d.]+(-code)?|moonshot-v1-(8k|32k|128k))",
    "zai": r"glm-[\d.]+(-air|-flash|-code)?",
    "minimax": r"MiniMax-M[\d.]+",
    "volcengine": r"doubao-seed-[\d-]+-(pro|lite|mini|turbo)-\d+",
}  # fmt: skip

ITEMS = {
    "input_token": "input_cost_per_token",
    "cached_token": "cache_read_input_token_cost",
    "output_token": "output_cost_per_token",
}

HEAD = """\
# Public tariffs of well-known chat models. Made by recipes/tariffs.py; do not edit.
# Used where a book of prices says `tariffs = true`. What the book says itself comes first.
# Source: {source}

currency = "USD"
"""


def chosen(prices: dict[str, dict[str, Any]], day: date) -> dict[str, dict[str, Any]]:
    """The models of the table by the names that requests ask for, in their order."""
    found = {}
    for name, facts in prices.items():
        provider = facts.get("litellm_provider", "")
        own = name.removeprefix(f"{provider}/")
        if re.fullmatch(PROVIDERS.get(provider, "(?!)"), own) and _plain(facts, day):
            found[own] = facts
    return dict(sorted(found.items(), key=lambda row: (row[1]["litellm_provider"], row[0])))


def _plain(facts: dict[str, Any], day: date) -> bool:
    ended = date.fromisoformat(facts.get("deprecation_date", "9999-12-31")) <= day
    tiers = any(
        re.match("(input|output)_cost_per_token_above|cache_read.*_above|tiered", key)
        for key in facts
    )
    paid = facts.get("input_cost_per_token") and facts.get("output_cost_per_token")
    return facts.get("mode") == "chat" and bool(paid) and not ended and not tiers


def toml(models: dict[str, dict[str, Any]], source: str, day: date) -> Iterator[str]:
    """The lines of the file."""
    yield HEAD.format(source=source)
    for name, facts in models.items():
        yield f"[models.{json.dumps(name)}]  # {facts['litellm_provider']}"
        said = facts.get("source", "").removeprefix("https://")
        whose = f"{source}{f', after {said}' if said else ''}"
        for item, key in ITEMS.items():
            if facts.get(key):
                amount = (Decimal(str(facts[key])) * 1_000_000).normalize()
                yield (
                    f'{item} = {{ amount = "{amount:f}", per = 1000000, '
                    f"source = {json.dumps(whose)}, since = {day} }}"
                )
        yield ""


def main() -> None:
    """Read LiteLLM's map and write ours."""
    folder, day = Path(sys.argv[1]), date.fromisoformat(sys.argv[2])
    (about,) = folder.parent.glob("litellm-*.dist-info")
    version = about.name.removeprefix("litellm-").removesuffix(".dist-info")
    models = chosen(json.loads((folder / MAP).read_text(encoding="utf-8")), day)
    lines = toml(models, f"LiteLLM {version} (MIT)", day)
    OUT.write_text("\n".join(lines), encoding="utf-8")
    print(f"{len(models)} models in {OUT}")


if __name__ == "__main__":
    main()
