#!/usr/bin/env python3
"""Measures a folder: its size, its largest files and folders, and the free space of its volume.

Runs as a task of an OpenClaw cluster (parameters, progress and result travel by the files that the OPENCLAW_CLUSTER_*
variables name) and by hand: disk_report.py [PATH]. Python 3.8 or newer, nothing else.

It reads names and sizes, never a file's content; it stays on one volume and follows no link that it meets.
"""

import argparse
import heapq
import json
import os
import shutil
import stat
import sys
import time

USAGE, BAD_DATA, NO_INPUT = 64, 65, 66
MAX_TOP = 1000
MAX_SECONDS = 3000
# Files with several names are counted once, as long as so many can be remembered.
MAX_HARD_LINKS = 500_000
MEASURES = ("allocated", "length")


class Failure(Exception):
    """A reason to stop, with the exit code that says whose fault it is."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Largest:
    """The largest few of many."""

    def __init__(self, limit):
        self.limit, self.heap = limit, []

    def add(self, size, path):
        if len(self.heap) < self.limit:
            heapq.heappush(self.heap, (size, path))
        elif self.limit and size > self.heap[0][0]:
            heapq.heapreplace(self.heap, (size, path))

    def listed(self):
        ranked = sorted(self.heap, key=lambda item: (-item[0], item[1]))
        return [{"path": shown(path), "bytes": size} for size, path in ranked]


class Folder:
    """A folder on the way down: what it holds so far, and which folders in it are still to be entered."""

    def __init__(self, path):
        self.path, self.size, self.rest = path, 0, []


class Walk:
    """One walk through a tree, until its end or the end of its time."""

    def __init__(self, root, measure, top, seconds):
        self.measure = measure
        self.device = os.lstat(root).st_dev
        self.deadline = time.monotonic() + seconds
        self.largest_files, self.largest_folders = Largest(top), Largest(top)
        self.files = self.folders = self.links = self.unreadable = self.other_volumes = 0
        self.names_seen = set()
        self.told = time.monotonic()
        self.complete = True
        self.size = self.run(root)

    def run(self, root):
        way = [self.enter(root)]
        while True:
            folder = way[-1]
            if folder.rest and self.complete:
                self.tell()
                way.append(self.enter(folder.rest.pop()))
                continue
            way.pop()
            if not way:
                return folder.size
            way[-1].size += folder.size
            self.largest_folders.add(folder.size, folder.path)

    def enter(self, path):
        """Counts what lies directly in a folder."""
        folder = Folder(path)
        self.folders += 1
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if time.monotonic() > self.deadline:
                        self.complete = False
                        break
                    self.count(entry, folder)
        except OSError:
            self.unreadable += 1
        return folder

    def count(self, entry, folder):
        try:
            about = entry.stat(follow_symlinks=False)
        except OSError:
            self.unreadable += 1
            return
        if is_link(about):
            self.links += 1
        elif not stat.S_ISDIR(about.st_mode):
            self.count_file(entry, about, folder)
        # Windows leaves the device of an entry out; its mount points are links.
        elif os.name != "nt" and about.st_dev != self.device:
            self.other_volumes += 1
        else:
            folder.rest.append(entry.path)

    def count_file(self, entry, about, folder):
        if about.st_nlink > 1 and len(self.names_seen) < MAX_HARD_LINKS:
            if about.st_ino in self.names_seen:
                return
            self.names_seen.add(about.st_ino)
        size = about.st_blocks * 512 if self.measure == "allocated" else about.st_size
        self.files += 1
        folder.size += size
        self.largest_files.add(size, entry.path)

    def tell(self):
        """Says every other second how far it is; how far there is to go, nobody knows."""
        path = os.environ.get("OPENCLAW_CLUSTER_PROGRESS")
        if path and time.monotonic() > self.told + 2:
            self.told = time.monotonic()
            message = f"{self.files} files in {self.folders} folders"
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"percent": 0, "message": message}) + "\n")


def is_link(about):
    """Whether it leads elsewhere: a symbolic link, or on Windows a junction or a mounted volume."""
    if stat.S_ISLNK(about.st_mode):
        return True
    mount_point = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return mount_point is not None and getattr(about, "st_reparse_tag", 0) == mount_point


def shown(path):
    """A path as text that every reader takes: names need not be UTF-8."""
    text = os.fsencode(path).decode("utf-8", "replace")
    if text.startswith("\\\\?\\UNC\\"):
        return "\\\\" + text[8:]
    return text[4:] if text.startswith("\\\\?\\") else text


def long_form(path):
    """Windows stops at 260 characters, unless told not to."""
    if os.name != "nt" or path.startswith("\\\\?\\"):
        return path
    return "\\\\?\\UNC\\" + path[2:] if path.startswith("\\\\") else "\\\\?\\" + path


def main():
    given = by_hand()
    parameters = task() if "OPENCLAW_CLUSTER_PARAMS" in os.environ else vars(given)
    top = whole(parameters, "top", 10, 0, MAX_TOP)
    seconds = whole(parameters, "seconds", 60, 1, MAX_SECONDS)
    measure = parameters.get("measure") or given.measure
    if measure not in MEASURES:
        raise Failure(USAGE, f"parameter measure must be one of {', '.join(MEASURES)}, not {json.dumps(measure)}")
    if measure == "allocated" and os.name == "nt":
        raise Failure(USAGE, "parameter measure: Windows gives no allocated sizes; use length")
    root = root_of(parameters.get("path"))
    try:
        walk = Walk(root, measure, top, seconds)
        volume = shutil.disk_usage(root)
    except OSError as error:
        raise Failure(NO_INPUT, f"cannot read {shown(root)}: {error.strerror or error}") from error
    write_result({
        "path": shown(root),
        "measure": measure,
        "complete": walk.complete,
        "bytes": walk.size,
        "files": walk.files,
        "folders": walk.folders - 1,
        "links": walk.links,
        "unreadable": walk.unreadable,
        "other_volumes": walk.other_volumes,
        "largest_files": walk.largest_files.listed(),
        "largest_folders": walk.largest_folders.listed(),
        "volume": {"total": volume.total, "used": volume.used, "free": volume.free},
    })


def whole(parameters, name, default, low, high):
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Failure(USAGE, f"parameter {name} must be a whole number from {low} to {high}, not {json.dumps(value)}")
    return value


def root_of(given):
    """The folder to measure. A link that is asked for by name is resolved; those inside are not."""
    path = "~" if given is None else given
    if not isinstance(path, str) or not path or "\0" in path:
        raise Failure(USAGE, f"parameter path must name a folder, not {json.dumps(given)}")
    path = os.path.expanduser(os.path.expandvars(path))
    # A task begins in an empty folder of its own: there, only the home folder can be meant.
    if "OPENCLAW_CLUSTER_PARAMS" in os.environ:
        path = os.path.join(os.path.expanduser("~"), path)
    root = long_form(os.path.realpath(path))
    if not os.path.isdir(root):
        what = "is no folder" if os.path.lexists(root) else "does not exist on this machine"
        raise Failure(NO_INPUT, f"{shown(root)} {what}")
    return root


def task():
    """Parameters of a task."""
    try:
        with open(os.environ["OPENCLAW_CLUSTER_PARAMS"], encoding="utf-8") as file:
            parameters = json.load(file)
    except (OSError, ValueError) as error:
        raise Failure(USAGE, f"cannot read the parameters: {error}") from error
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Failure(USAGE, "the parameters must be an object, for example {\"path\": \"~/Downloads\"}")
    return parameters


def by_hand():
    """The command line. A task has only --measure there, which says what its system can tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", default="~", help="a folder (the home folder)")
    parser.add_argument("--measure", choices=MEASURES, default="length", help="space taken, or length (length)")
    parser.add_argument("--top", type=int, default=10, help="how many of the largest (10)")
    parser.add_argument("--seconds", type=int, default=60, help="when to stop (60)")
    return parser.parse_args()


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
        print(f"disk-report: {failure}", file=sys.stderr)
        sys.exit(failure.code)
