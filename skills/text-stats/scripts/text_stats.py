#!/usr/bin/env python3
"""Counts words, lines, characters and bytes of a UTF-8 text, and its most frequent words.

Runs as a task of an OpenClaw cluster (parameters, input files, progress and result travel by the files that the
OPENCLAW_CLUSTER_* variables name) and by hand: text_stats.py FILE [--top N]. Python 3.8 or newer, nothing else.
"""

import argparse
import codecs
import collections
import io
import json
import os
import re
import sys

USAGE, BAD_DATA, NO_INPUT = 64, 65, 66
CHUNK = 256 * 1024
MAX_TOP = 1000

# Chinese and Japanese write no spaces: there a character counts as a word.
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
LETTER = rf"(?:(?![{CJK}])[^\W_])"
WORD = re.compile(rf"[{CJK}]|{LETTER}+(?:['\u2019]{LETTER}+)*")


class Failure(Exception):
    """A reason to stop, with the exit code that says whose fault it is."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Progress:
    """Appends a line for every tenth part done; does nothing outside the cluster."""

    def __init__(self, total):
        self.path = os.environ.get("OPENCLAW_CLUSTER_PROGRESS")
        self.total = total
        self.last = -10

    def at(self, done, message):
        percent = 100 if self.total == 0 else min(100, done * 100 // self.total)
        if not self.path or (percent < self.last + 10 and percent < 100) or percent == self.last:
            return
        self.last = percent
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"percent": percent, "message": message}) + "\n")


def main():
    parameters, inputs = task() if "OPENCLAW_CLUSTER_PARAMS" in os.environ else by_hand()
    top = parameters.get("top", 10)
    if isinstance(top, bool) or not isinstance(top, int) or not 0 <= top <= MAX_TOP:
        raise Failure(USAGE, f"parameter top must be a whole number from 0 to {MAX_TOP}, not {json.dumps(top)}")
    name, stream, size = source(parameters, inputs)
    with stream:
        write_result(count(name, stream, size, top))


def task():
    """Parameters and input folder of a task."""
    path = os.environ["OPENCLAW_CLUSTER_PARAMS"]
    try:
        with open(path, encoding="utf-8") as file:
            parameters = json.load(file)
    except (OSError, ValueError) as error:
        raise Failure(USAGE, f"cannot read the parameters: {error}") from error
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, dict):
        raise Failure(USAGE, "the parameters must be an object, for example {\"top\": 5}")
    folder = os.environ.get("OPENCLAW_CLUSTER_INPUT_DIR")
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file()) if folder else []
    return parameters, {name: os.path.join(folder, name) for name in names}


def by_hand():
    """The same from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="a UTF-8 text file")
    parser.add_argument("--top", type=int, default=10, help="how many of the most frequent words (10)")
    args = parser.parse_args()
    return {"top": args.top}, {os.path.basename(args.file): args.file}


def source(parameters, inputs):
    """What to count: its name, a binary stream, its size."""
    wanted, text = parameters.get("file"), parameters.get("text")
    if wanted is not None:
        if wanted not in inputs:
            given = ", ".join(inputs) or "none"
            raise Failure(NO_INPUT, f"there is no input file {json.dumps(wanted)}; given: {given}")
    elif text is not None:
        if not isinstance(text, str):
            raise Failure(USAGE, "parameter text must be text")
        content = text.encode("utf-8", "surrogatepass")
        return "text", io.BytesIO(content), len(content)
    elif inputs:
        wanted = next(iter(inputs))
    else:
        raise Failure(NO_INPUT, "nothing to count: give an input file (--input FILE) or a text (--param text=...)")
    try:
        stream = open(inputs[wanted], "rb")
        return wanted, stream, os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise Failure(NO_INPUT, f"cannot read {wanted}: {error.strerror or error}") from error


def count(name, stream, size, top):
    """Reads the stream piece by piece: its size does not matter."""
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    words = collections.Counter()
    lines = characters = done = 0
    rest = ""
    ended = True
    progress = Progress(size)
    progress.at(0, f"reading {name}")
    while True:
        chunk = stream.read(CHUNK)
        try:
            text = decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            # What the decoder holds back from the piece before counts as part of this one.
            at = max(0, done + len(chunk) - len(error.object)) + error.start
            raise Failure(BAD_DATA, f"{name} is not UTF-8 text (byte {at}): convert it first") from error
        done += len(chunk)
        characters += len(text)
        lines += text.count("\n")
        if text:
            ended = text.endswith("\n")
        # A word may go on in the next piece: count up to the last space only.
        rest += text
        cut = len(rest) if not chunk else max(rest.rfind(" "), rest.rfind("\n")) + 1
        if cut == 0 and len(rest) > CHUNK:
            cut = len(rest)
        words.update(match.group().lower() for match in WORD.finditer(rest, 0, cut))
        rest = rest[cut:]
        if not chunk:
            break
        progress.at(done, f"read {done} of {size} bytes")
    progress.at(size, "counted")
    ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:top]
    return {
        "words": sum(words.values()),
        "lines": lines + (0 if ended else 1),
        "characters": characters,
        "bytes": done,
        "top": [{"word": word, "count": times} for word, times in ranked],
    }


def write_result(result):
    path = os.environ.get("OPENCLAW_CLUSTER_RESULT")
    text = json.dumps(result, ensure_ascii=False)
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.reconfigure(encoding="utf-8")
        print(text)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print(f"text-stats: {failure}", file=sys.stderr)
        sys.exit(failure.code)
