#!/usr/bin/env python3
"""Describes every column of a CSV or TSV file: type, empty and distinct values, range and mean, most frequent values.

Runs as a task of an OpenClaw cluster (parameters, input files, progress and result travel by the files that the
OPENCLAW_CLUSTER_* variables name) and by hand: csv_summary.py FILE [--delimiter ';']. Python 3.8 or newer, nothing else.

The file is read once, record by record; what is remembered of it is bounded by the limits below, not by its size.
"""

import argparse
import csv
import datetime
import hashlib
import json
import math
import os
import re
import sys

USAGE, BAD_DATA, NO_INPUT = 64, 65, 66
MAX_TOP = 100
MAX_COLUMNS = 2_000
MAX_RECORD = 4 * 1024 * 1024
# Values remembered for one column, and for all columns together.
COLUMN_VALUES, ALL_VALUES = 10_000, 200_000
# Longer values are remembered by their beginning and a hash.
SHOWN = 100
SAMPLE_LINES, SAMPLE_SIZE = 100, 64 * 1024
DELIMITERS = {"comma": ",", "tab": "\t", "\\t": "\t", "semicolon": ";", "pipe": "|", "space": " "}
ENCODINGS = {
    "utf-8": "utf-8-sig", "utf-16": "utf-16", "latin-1": "latin-1", "windows-1252": "cp1252", "gb18030": "gb18030",
    "big5": "big5", "shift_jis": "shift_jis", "euc-kr": "euc_kr",
}

# A number with a leading zero, such as a post code, is no number. [0-9]: \d would take digits of every script.
INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")
NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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


class Lines:
    """Lines of a text for csv.reader, which would read a line or a quoted field of any length into memory."""

    def __init__(self, name, stream, encoding):
        self.name, self.stream, self.encoding = name, stream, encoding
        self.number = 0
        self.begin_record()

    def begin_record(self):
        self.record_start, self.record_size = self.number + 1, 0

    def __iter__(self):
        return self

    def __next__(self):
        try:
            line = self.stream.readline(MAX_RECORD + 1)
        except (UnicodeDecodeError, UnicodeError) as error:
            raise Failure(
                BAD_DATA,
                f"{self.name} is not {self.encoding} text (after line {self.number}): "
                "convert it, or name its encoding in parameter encoding",
            ) from error
        if not line:
            raise StopIteration
        self.number += 1
        self.record_size += len(line)
        if self.record_size > MAX_RECORD:
            raise Failure(
                BAD_DATA,
                f"{self.name}: the record at line {self.record_start} is longer than {MAX_RECORD} characters: "
                "is a quote left open?",
            )
        if "\0" in line:
            raise Failure(BAD_DATA, f"{self.name} line {self.number} holds a NUL: it is no {self.encoding} text")
        return line


class Column:
    """What is known of a column so far."""

    def __init__(self, name, limit):
        self.name, self.limit = name, limit
        self.count = self.empty = 0
        self.kinds = set()
        self.values = {}
        self.all_values = True
        self.low = self.high = None
        self.whole, self.sum, self.lost = 0, 0.0, 0.0

    def add(self, value):
        value = value.strip()
        if not value:
            self.empty += 1
            return
        self.count += 1
        self.remember(value)
        # Once it is text, it stays text.
        if "text" not in self.kinds:
            kind, number = classify(value)
            self.kinds.add(kind)
            if number is not None:
                self.measure(number)

    def remember(self, value):
        if len(value) > SHOWN:
            digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
            value = value[:SHOWN] + "\0" + digest
        seen = self.values.get(value)
        if seen is not None:
            self.values[value] = seen + 1
        elif len(self.values) < self.limit:
            self.values[value] = 1
        else:
            self.all_values = False

    def measure(self, number):
        self.low = number if self.low is None else min(self.low, number)
        self.high = number if self.high is None else max(self.high, number)
        if isinstance(number, int):
            self.whole += number
            return
        # Neumaier's sum: what rounding loses is kept aside.
        total = self.sum + number
        larger, smaller = (self.sum, number) if abs(self.sum) >= abs(number) else (number, self.sum)
        self.lost += (larger - total) + smaller
        self.sum = total

    def kind(self):
        if not self.kinds:
            return "empty"
        if self.kinds == {"integer", "number"}:
            return "number"
        return next(iter(self.kinds)) if len(self.kinds) == 1 else "text"

    def summary(self, top):
        kind = self.kind()
        result = {
            "name": shown(self.name),
            "type": kind,
            "count": self.count,
            "empty": self.empty,
            "distinct": len(self.values),
            "distinct_exact": self.all_values,
        }
        if kind in ("integer", "number"):
            mean = (self.whole + self.sum + self.lost) / self.count
            result.update(min=self.low, max=self.high, mean=mean if math.isfinite(mean) else None)
        ranked = sorted(self.values.items(), key=lambda item: (-item[1], item[0]))[:top]
        result["top"] = [{"value": shown(value), "count": times} for value, times in ranked]
        return result


def shown(value):
    """A value as people see it: never longer than a line."""
    value = value.partition("\0")[0] + "…" if "\0" in value else value
    return value if len(value) <= SHOWN + 1 else value[:SHOWN] + "…"


def classify(value):
    """The type of one value, and the number that it is."""
    if INTEGER.fullmatch(value):
        return "integer", int(value)
    if NUMBER.fullmatch(value):
        number = float(value)
        return ("number", number) if math.isfinite(number) else ("text", None)
    if value.lower() in ("true", "false", "yes", "no"):
        return "boolean", None
    if DATE.fullmatch(value):
        try:
            datetime.date.fromisoformat(value)
            return "date", None
        except ValueError:
            pass
    return "text", None


def main():
    parameters, inputs = task() if "OPENCLAW_CLUSTER_PARAMS" in os.environ else by_hand()
    top = parameters.get("top", 5)
    if isinstance(top, bool) or not isinstance(top, int) or not 0 <= top <= MAX_TOP:
        raise Failure(USAGE, f"parameter top must be a whole number from 0 to {MAX_TOP}, not {json.dumps(top)}")
    header = parameters.get("header", True)
    if not isinstance(header, bool):
        raise Failure(USAGE, f"parameter header must be true or false, not {json.dumps(header)}")
    encoding = parameters.get("encoding", "utf-8")
    if not isinstance(encoding, str) or encoding not in ENCODINGS:
        raise Failure(USAGE, f"parameter encoding must be one of {', '.join(ENCODINGS)}, not {json.dumps(encoding)}")
    delimiter = delimiter_of(parameters.get("delimiter"))
    name = choose(parameters.get("file"), inputs)
    try:
        write_result(summarize(name, inputs[name], delimiter, header, encoding, top))
    except OSError as error:
        raise Failure(NO_INPUT, f"cannot read {name}: {error.strerror or error}") from error


def delimiter_of(given):
    """The delimiter that is asked for; None when it is to be found out."""
    if given is None:
        return None
    delimiter = DELIMITERS.get(given, given) if isinstance(given, str) else ""
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        names = ", ".join(name for name in DELIMITERS if name.isalpha())
        raise Failure(USAGE, f"parameter delimiter must be one character or one of {names}, not {json.dumps(given)}")
    return delimiter


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
        raise Failure(USAGE, "the parameters must be an object, for example {\"delimiter\": \";\"}")
    folder = os.environ.get("OPENCLAW_CLUSTER_INPUT_DIR")
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file()) if folder else []
    return parameters, {name: os.path.join(folder, name) for name in names}


def by_hand():
    """The same from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="a CSV or TSV file")
    parser.add_argument("--delimiter", help="what separates fields (found out)")
    parser.add_argument("--no-header", action="store_true", help="the first record is data")
    parser.add_argument("--encoding", default="utf-8", help="how the text is encoded (utf-8)")
    parser.add_argument("--top", type=int, default=5, help="how many of the most frequent values (5)")
    args = parser.parse_args()
    parameters = {"header": not args.no_header, "encoding": args.encoding, "top": args.top}
    if args.delimiter is not None:
        parameters["delimiter"] = args.delimiter
    return parameters, {os.path.basename(args.file): args.file}


def choose(wanted, inputs):
    """The input file to read."""
    if wanted is None:
        if not inputs:
            raise Failure(NO_INPUT, "nothing to read: give an input file (--input FILE)")
        return next(iter(inputs))
    if not isinstance(wanted, str) or wanted not in inputs:
        given = ", ".join(inputs) or "none"
        raise Failure(NO_INPUT, f"there is no input file {json.dumps(wanted)}; given: {given}")
    return wanted


def summarize(name, path, delimiter, header, encoding, top):
    with open(path, encoding=ENCODINGS[encoding], newline="") as stream:
        size = os.fstat(stream.fileno()).st_size
        progress = Progress(size)
        progress.at(0, f"reading {name}")
        if delimiter is None:
            delimiter = sniff(name, Lines(name, stream, encoding))
            stream.seek(0)
        lines = Lines(name, stream, encoding)
        records = read_records(name, lines, delimiter)
        first = next(records, None)
        if first is None:
            raise Failure(BAD_DATA, f"{name} is empty: there is not even a header")
        columns = columns_of(name, first, header)
        rows = ragged = 0
        for record in [] if header else [first]:
            rows += 1
            add(columns, record)
        for record in records:
            rows += 1
            ragged += add(columns, record)
            if rows % 1000 == 0:
                progress.at(stream.buffer.tell(), f"{rows} rows")
        progress.at(size, f"{rows} rows")
    return {
        "file": name,
        "delimiter": delimiter,
        "header": header,
        "rows": rows,
        "ragged_rows": ragged,
        "columns": [column.summary(top) for column in columns],
    }


def columns_of(name, first, header):
    if len(first) > MAX_COLUMNS:
        raise Failure(BAD_DATA, f"{name} has {len(first)} columns; {MAX_COLUMNS} is the most that can be described")
    limit = min(COLUMN_VALUES, ALL_VALUES // len(first))
    titles = [title.strip() if header else "" for title in first]
    return [Column(title or f"column {at}", limit) for at, title in enumerate(titles, 1)]


def read_records(name, lines, delimiter):
    """The records that hold something."""
    csv.field_size_limit(MAX_RECORD)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if record:
                yield record
            lines.begin_record()
    except csv.Error as error:
        start = lines.record_start
        where = f"line {start}" if start >= lines.number else f"lines {start} to {lines.number}"
        raise Failure(BAD_DATA, f"{name} {where}: quotes that do not match ({error})") from error


def add(columns, record):
    """Adds a record; whether it is ragged: it has too few or too many fields. What is too much is left out."""
    for at, column in enumerate(columns):
        column.add(record[at] if at < len(record) else "")
    return len(record) != len(columns)


def sniff(name, lines):
    """The delimiter that divides the first lines into the most alike records."""
    sample, size = [], 0
    for line in lines:
        lines.begin_record()
        if sample and (size + len(line) > SAMPLE_SIZE or len(sample) == SAMPLE_LINES):
            break
        sample.append(line)
        size += len(line)
    csv.field_size_limit(MAX_RECORD)
    best, best_score = ("\t" if name.lower().endswith((".tsv", ".tab")) else ","), (0.0, 0)
    for delimiter in dict.fromkeys((best, ",", "\t", ";", "|")):
        widths = [len(record) for record in csv.reader(sample, delimiter=delimiter) if record]
        if widths and widths[0] > 1:
            score = (widths.count(widths[0]) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best


def write_result(result):
    path = os.environ.get("OPENCLAW_CLUSTER_RESULT")
    text = json.dumps(result, ensure_ascii=False, allow_nan=False)
    if path:
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    else:
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        print(text)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print(f"csv-summary: {failure}", file=sys.stderr)
        sys.exit(failure.code)
