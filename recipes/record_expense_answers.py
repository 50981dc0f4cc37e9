"""Record the embedded teacher's answers to the sample of `feilun.apps.daily`.

The teacher is Qwen2.5-Coder-1.5B-Instruct Q4_K_M (design.md section 6), asked greedily
and held to the task's output schema by a grammar. One answer at a time, so that the
recorded seconds are what a person would have waited. Resumes where it stopped.

    pip install 'feilun[embedded]'
    python recipes/record_expense_answers.py /path/to/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # spinning costs 8x CPU per token; before import

import xllamacpp
from rich.progress import track

from feilun.apps.daily.sample import ANSWERS, answers, lines
from feilun.apps.daily.tasks import category
from feilun.tasks import messages

SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"


def serve(model: Path) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx = 2048
    params.n_parallel = 1
    params.no_extra_bufts = True
    params.cpuparams.n_threads = 2
    params.cpuparams_batch.n_threads = 2
    params.warmup = True
    return xllamacpp.Server(params)


def main(model: Path) -> None:
    with model.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        sys.exit(f"{model} is not the embedded teacher: sha256 {found}, expected {SHA256}.")
    done = answers() if ANSWERS.exists() else {}
    texts = [text for text in dict.fromkeys(line.text for line in lines()) if text not in done]
    server = serve(model)
    with ANSWERS.open("a", encoding="utf-8") as out:
        for text in track(texts, "Asking the teacher"):
            started = time.perf_counter()
            reply = server.handle_chat_completions(
                {
                    "messages": messages(category, text),
                    "temperature": 0,
                    "max_tokens": 16,
                    "cache_prompt": True,
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {"name": "label", "schema": category.output_schema},
                    },
                }
            )
            seconds = time.perf_counter() - started
            usage = reply["usage"]
            row = {
                "text": text,
                "output": json.loads(reply["choices"][0]["message"]["content"]),
                "tokens_in": usage["prompt_tokens"],
                "tokens_cached": usage["prompt_tokens_details"]["cached_tokens"],
                "tokens_out": usage["completion_tokens"],
                "seconds": round(seconds, 4),
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            out.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
