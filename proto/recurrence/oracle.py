#!/usr/bin/env python3
"""Writes proto/vectors/recurrence.json: rules, and the occurrences that python-dateutil gives.

    pip install python-dateutil==2.9.0.post0
    python3 proto/recurrence/oracle.py > proto/vectors/recurrence.json

dateutil expands in civil time (naive); zoneinfo makes instants of it. Where we mean another thing
than dateutil, this file says so, at "differs".
"""

import json
import random
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

RULES = 300
SHOWN = 20
CODES = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]

# A zone and dates near its clock changes (any date, where it has none).
ZONES = {
    "Asia/Shanghai": ["2027-03-28"],
    "Asia/Kathmandu": ["2028-02-29"],
    "Europe/Rome": ["2027-03-28", "2027-10-31", "2026-03-29"],
    "America/New_York": ["2027-03-14", "2026-11-01"],
    "Africa/Cairo": ["2027-04-30", "2026-10-29", "2026-04-24"],
    "Australia/Lord_Howe": ["2026-10-04", "2027-04-04"],
}
TIMES = ["00:00:00", "00:30:00", "01:30:00", "01:45:00", "02:00:00", "02:15:00", "02:30:00", "03:00:00",
         "07:05:09", "19:30:00", "23:59:59"]
# Given by hand: a day that clocks skip, and long ways.
FIXED = [
    ("2011-12-27T19:30:00", "Pacific/Apia", "FREQ=DAILY"),
    ("2011-12-23T19:30:00", "Pacific/Apia", "FREQ=WEEKLY;BYDAY=FR"),
    ("2027-03-20T02:30:00", "Europe/Berlin", "FREQ=DAILY"),
    ("2000-01-01T00:00:00", "Africa/Cairo", "FREQ=WEEKLY;INTERVAL=100;BYDAY=MO,SU"),
    ("2024-02-29T12:00:00", "UTC", "FREQ=DAILY;INTERVAL=366"),
]


def random_rule(rng):
    zone = rng.choice(list(ZONES))
    near = datetime.fromisoformat(rng.choice(ZONES[zone]))
    start = near - timedelta(days=rng.choice([0, 1, 2, 5, 10, 30, 90, rng.randrange(700)]))
    start = datetime.fromisoformat(f"{start.date()}T{rng.choice(TIMES)}")
    freq = rng.choice(["DAILY", "WEEKLY"])
    interval = rng.choice([1, 1, 1, 2, 3, 4, 7, 10])
    days = rng.sample(CODES, rng.choice([0, 0, 1, 2, 3, 5]))
    if days and freq == "DAILY" and interval == 7:
        days.append(CODES[start.weekday()])  # else it gives nothing, which we refuse
        days = list(set(days))
    parts = [f"FREQ={freq}"]
    if interval > 1:
        parts.append(f"INTERVAL={interval}")
    if days:
        parts.append("BYDAY=" + ",".join(sorted(days, key=CODES.index)))
    until = start + timedelta(days=60 + rng.randrange(120), minutes=rng.randrange(1440))
    end = rng.choice(["", "", "COUNT", "utc", "civil", "day"])
    if end == "COUNT":
        parts.append(f"COUNT={rng.randrange(1, 25)}")
    elif end == "utc":
        until = until.replace(tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)
        parts.append(f"UNTIL={until:%Y%m%dT%H%M%SZ}")
    elif end:
        parts.append(f"UNTIL={until:%Y%m%dT%H%M%S}" if end == "civil" else f"UNTIL={until:%Y%m%d}")
    return start.isoformat(), zone, ";".join(parts)


def for_dateutil(rrule, zone):
    """The same rule in naive civil time."""
    head, _, until = rrule.partition("UNTIL=")
    if not until:
        return rrule
    if until.endswith("Z"):
        at = datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        return f"{head}UNTIL={at.astimezone(ZoneInfo(zone)):%Y%m%dT%H%M%S}"
    # differs: dateutil ends at 00:00 of an UNTIL that is a day; ours counts to its end.
    return f"{head}UNTIL={until}T235959" if "T" not in until else rrule


def resolve(planned, zone):
    """fold=0 is ours: the offset before the change, so forward by a gap, and first of an overlap."""
    first = planned.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(timezone.utc)
    second = planned.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(timezone.utc)
    if first.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != planned:
        return first, "gap"
    return first, "overlap" if first != second else None


def occurrences(start, zone, rrule):
    planned = rrulestr(for_dateutil(rrule, zone), dtstart=datetime.fromisoformat(start))
    found = [(each, *resolve(each, zone)) for each in islice(planned, SHOWN + 1)]
    # differs: dateutil knows no instants; of two at one instant, ours keeps the later planned.
    alone = [one for one, after in zip(found, found[1:] + [None]) if after is None or one[1] < after[1]]
    return [
        [each.isoformat(), int(at.timestamp())] + ([adjust] if adjust else [])
        for each, at, adjust in alone[:SHOWN]
    ]


def main():
    rng = random.Random("public")
    zi = Path("/usr/share/zoneinfo/tzdata.zi")
    tzdata = zi.read_text().splitlines()[0].removeprefix("# version ") if zi.exists() else "unknown"
    rules = FIXED + [random_rule(rng) for _ in range(RULES)]
    cases = [
        json.dumps({"start": s, "zone": z, "rrule": r, "occurrences": occurrences(s, z, r)}, separators=(",", ":"))
        for s, z, r in rules
    ]
    about = "made by proto/recurrence/oracle.py: planned civil time, instant in seconds, what a clock change did"
    print(f'{{\n"about": "{about}",\n"dateutil": "{version("python-dateutil")}", "tzdata": "{tzdata}",')
    print(f'"shown": {SHOWN},\n"cases": [')
    print(",\n".join(cases))
    print("]\n}")


if __name__ == "__main__":
    main()
