#!/usr/bin/env python3
"""Writes the inputs of the second oracle: reports of subscribers that the sample user never resembles.

Standard library only, fixed seed. Times are local, as bandicoot wants them; the offset of each file stands in
FILES and reaches the tests by expected/<name>.json. Within a file no two reports start in the same second, so that
their order is never in doubt, except in ties.csv.
"""
import csv
import os
import random
from datetime import datetime, timedelta

HERE = os.path.dirname(os.path.abspath(__file__))


def at(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


def call(direction, contact, when, seconds, antenna="700"):
    return ("call", direction, contact, when, seconds, antenna)


def text(direction, contact, when, antenna="700"):
    return ("text", direction, contact, when, "", antenna)


def unique(records):
    """Moves reports apart that start in the same second, in order of time."""
    taken, out = set(), []
    for r in sorted(records, key=lambda r: r[3]):
        when = r[3]
        while when in taken:
            when += timedelta(seconds=1)
        taken.add(when)
        out.append(r[:3] + (when,) + r[4:])
    return out


def crowd(rng, start, days, n, contacts, antennas, longest=20000, texts=0.5):
    """Random reports with bursts: conversations, repeated calls within an hour, half hours at several antennas."""
    records = []
    while len(records) < n:
        when = start + timedelta(seconds=rng.randrange(days * 86400))
        who = "c%02d" % min(int(rng.expovariate(0.12)), contacts - 1)
        for _ in range(rng.choice([1, 1, 2, 3, 7])):
            where = rng.choice(antennas)
            direction = rng.choice(["in", "out"])
            if rng.random() < texts:
                records.append(text(direction, who, when, where))
            else:
                seconds = rng.choice([0, 0, rng.randrange(1, 90), rng.randrange(1, 3000), rng.randrange(1, longest)])
                records.append(call(direction, who, when, seconds, where))
            when += timedelta(seconds=rng.choice([rng.randrange(1, 60), rng.randrange(1, 900), 3599, 3600, 3601]))
    return unique(records)


def edges(_):
    """Every edge of the definitions, by hand."""
    records = []
    monday = at("2019-03-04 00:00:00")
    clock = [(0, 0, 0), (6, 59, 59), (7, 0, 0), (7, 0, 1), (11, 30, 0), (11, 59, 59), (12, 0, 0), (18, 59, 59), (19, 0, 0),
             (19, 0, 1), (23, 59, 59)]
    for day in range(0, 14):
        for i, (h, m, s) in enumerate(clock):
            when = monday + timedelta(days=day, hours=h, minutes=m, seconds=s)
            if (day + i) % 3:
                records.append(call("in" if i % 2 else "out", "c%d" % (i % 4), when, [0, 1, 59, 3600, 3601, 7200][(day + i) % 6],
                                    "7%02d" % (i % 3)))
            else:
                records.append(text("out" if i % 2 else "in", "c%d" % (i % 4), when, "7%02d" % (i % 3)))
    # calls that cross midnights and Sunday's end, one of a whole week
    week = at("2019-03-18 00:00:00")
    records += [
        call("out", "long", week + timedelta(hours=23, minutes=30), 3 * 3600),
        call("in", "long", week + timedelta(days=2, hours=22), 30 * 3600),
        call("out", "long", week + timedelta(days=6, hours=23, minutes=59, seconds=59), 2),
        call("out", "long", week + timedelta(days=6, hours=23, minutes=30, seconds=5), 90000),
        call("in", "week", week + timedelta(days=9, hours=5, minutes=17, seconds=3), 604800),
        call("in", "week", week + timedelta(days=13, hours=12), 259200),
    ]
    # conversations: gaps of 3599, 3600, 3601 s; a call between; several calls with one contact in one hour
    start = at("2019-04-08 09:00:00")
    for i, gap in enumerate([60, 3599, 3600, 3601, 1, 3600, 3599]):
        start += timedelta(seconds=gap)
        records.append(text("in" if i % 2 == 0 else "out", "talk", start))
    start = at("2019-04-09 10:00:00")
    for i in range(6):
        records.append(call("out", "often", start + timedelta(minutes=9 * i), 60 * i))
    records += [text("in", "cut", at("2019-04-10 10:00:00")), call("out", "cut", at("2019-04-10 10:05:00"), 10),
                text("out", "cut", at("2019-04-10 10:06:00")), text("in", "cut", at("2019-04-10 10:07:00")),
                text("in", "cut", at("2019-04-10 10:08:00")), text("out", "cut", at("2019-04-10 10:09:30"))]
    return unique(records)


def equal(_):
    """Equal counts, durations and intervals everywhere: every variance is 0."""
    records = []
    for i in range(120):
        when = at("2020-06-01 10:00:00") + timedelta(hours=6 * i)
        who = "c%d" % (i // 2 % 10)
        records.append(call("out", who, when, 77, "70%d" % (i % 4)) if i % 2 else text("in", who, when, "70%d" % (i % 4)))
    return records


def only_texted(rng):
    """No call at all."""
    return crowd(rng, at("2018-05-14 00:00:00"), 20, 150, 12, ["1", "2"], texts=1.1)


def some_only_texted(rng):
    """Contacts only texted beside contacts only called, and an antenna that is often unknown."""
    records = []
    for _ in range(160):
        when = at("2017-09-01 00:00:00") + timedelta(seconds=rng.randrange(30 * 86400))
        who = rng.randrange(14)
        where = rng.choice(["", "", "51", "52"])
        direction = rng.choice(["in", "out"])
        if who < 7:
            records.append(text(direction, "t%d" % who, when, where))
        else:
            records.append(call(direction, "k%d" % who, when, rng.randrange(0, 600), where))
    return unique(records)


def east(rng):
    """+05:30: a busy month."""
    return crowd(rng, at("2021-08-02 00:00:00"), 28, 900, 30, ["11", "12", "13", "14"])


def west(rng):
    """-03:30: crosses a month without reports."""
    records = crowd(rng, at("2016-02-20 00:00:00"), 10, 150, 8, ["5", "6"])
    return unique(records + crowd(rng, at("2016-04-11 00:00:00"), 12, 150, 8, ["6", "7", "8"]))


def nepal(rng):
    """+05:45, only by day and on weekdays: no home, empty splits."""
    records = []
    for _ in range(80):
        when = at("2022-11-07 08:00:00") + timedelta(days=rng.choice([0, 1, 2, 3, 4, 7, 8, 11]), seconds=rng.randrange(10 * 3600))
        records.append(call(rng.choice(["in", "out"]), "c%d" % rng.randrange(5), when, rng.randrange(1000), rng.choice(["1", "2", ""])))
    return unique(records)


def year_end(rng):
    """ISO years: 2020 has a week 53. No call reaches the next week (bandicoot labels those otherwise)."""
    return crowd(rng, at("2020-12-14 00:00:00"), 30, 200, 9, ["1", "2", "3"], longest=60, texts=0.8)


def single(_):
    """One call."""
    return [call("in", "a", at("2015-05-17 23:59:30"), 45)]


def pair(_):
    """Two texts in one second of doubt, one contact."""
    return [text("in", "a", at("2015-05-17 23:59:30")), text("out", "a", at("2015-05-18 00:00:30"))]


def ties(rng):
    """Reports that share a second: their order is that of the file."""
    records = []
    for i in range(200):
        when = at("2023-01-30 00:00:00") + timedelta(minutes=7 * rng.randrange(1500))
        for _ in range(rng.choice([1, 2, 3])):
            who = "c%d" % rng.randrange(4)
            where = rng.choice(["1", "2", "3"])
            direction = rng.choice(["in", "out"])
            records.append(text(direction, who, when, where) if rng.random() < 0.8 else call(direction, who, when, i, where))
    return sorted(records, key=lambda r: r[3])


# name: function, seconds east of UTC
FILES = {
    "edges": (edges, 0),
    "equal": (equal, 3600),
    "only_texted": (only_texted, 0),
    "some_only_texted": (some_only_texted, 7200),
    "east": (east, 19800),
    "west": (west, -12600),
    "nepal": (nepal, 20700),
    "year_end": (year_end, 34200),
    "single": (single, -34200),
    "pair": (pair, 0),
    "ties": (ties, 0),
}


def main():
    for i, (name, (make, _)) in enumerate(FILES.items()):
        with open(os.path.join(HERE, name + ".csv"), "w", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(["interaction", "direction", "correspondent_id", "datetime", "call_duration", "antenna_id"])
            for kind, direction, contact, when, seconds, antenna in make(random.Random(20260 + i)):
                out.writerow([kind, direction, contact, when.strftime("%Y-%m-%d %H:%M:%S"), seconds, antenna])


if __name__ == "__main__":
    main()
