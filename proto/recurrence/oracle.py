#!/usr/bin/env python3
"""Writes proto/vectors/recurrence.json: rules, and the occurrences that python-dateutil gives.

    pip install python-dateutil==2.9.0.post0 tzdata==2026.6
    PYTHONTZPATH= python3 proto/recurrence/oracle.py > proto/vectors/recurrence.json

dateutil expands in civil time (naive); zoneinfo makes instants of it, by the zones of the package
tzdata, which are of the version that jiff brings. Where we mean another thing than dateutil, this
file says so, at "differs"; docs/schedules.md gives the reasons.
"""

import json
import random
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

RULES = 2100
SHOWN = 10
LAST_YEAR = 2199
CODES = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]

# A zone and dates near its clock changes. Rules also start anywhere from 1990 to 2060.
ZONES = {
    "Asia/Shanghai": ["1990-04-15", "1990-09-16", "1991-04-14", "2027-03-28"],
    "Europe/Rome": ["1996-03-31", "2026-03-29", "2027-03-28", "2027-10-31", "2050-03-27"],
    "Africa/Cairo": ["2010-08-11", "2014-06-26", "2026-04-24", "2026-10-29", "2027-04-30", "2045-04-28"],
    "Australia/Lord_Howe": ["2001-08-26", "2026-10-04", "2027-04-04"],
    "Asia/Kathmandu": ["1991-01-01", "2028-02-29"],
    "Pacific/Apia": ["2011-12-30", "2011-09-24", "2012-04-01", "2020-09-27"],
}
TIMES = ["00:00:00", "00:30:00", "01:30:00", "01:45:00", "02:00:00", "02:15:00", "02:30:00", "03:00:00",
         "07:05:09", "19:30:00", "23:59:59"]
# Given by hand: a day that clocks skip, and long ways.
FIXED = [
    ("2011-12-27T19:30:00", "Pacific/Apia", "FREQ=DAILY"),
    ("2011-12-23T19:30:00", "Pacific/Apia", "FREQ=WEEKLY;BYDAY=FR"),
    ("2011-11-30T19:30:00", "Pacific/Apia", "FREQ=MONTHLY;BYMONTHDAY=30,31"),
    ("2027-03-20T02:30:00", "Europe/Berlin", "FREQ=DAILY"),
    ("2000-01-01T00:00:00", "Africa/Cairo", "FREQ=WEEKLY;INTERVAL=100;BYDAY=MO,SU"),
    ("2024-02-29T12:00:00", "UTC", "FREQ=DAILY;INTERVAL=366"),
    ("1990-01-31T12:00:00", "UTC", "FREQ=MONTHLY"),
    ("1990-02-13T12:00:00", "UTC", "FREQ=DAILY;INTERVAL=7;BYMONTHDAY=13"),
    ("1996-02-29T12:00:00", "UTC", "FREQ=YEARLY;INTERVAL=3"),
    ("1990-01-01T12:00:00", "UTC", "FREQ=YEARLY;BYDAY=53MO,-53SU"),
    ("1990-01-01T12:00:00", "UTC", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1;BYDAY=SU"),
]


def numbers(rng, most, last):
    return rng.sample([n for n in range(-last, last + 1) if n], rng.randrange(1, most))


def parts_of(rng, freq, start):
    """BYMONTH, BYMONTHDAY and BYDAY as that frequency takes them."""
    parts = []
    if rng.random() < (0.5 if freq == "YEARLY" else 0.2):
        parts.append("BYMONTH=" + ",".join(map(str, rng.sample(range(1, 13), rng.randrange(1, 5)))))
    if freq != "WEEKLY" and rng.random() < 0.3:
        parts.append("BYMONTHDAY=" + ",".join(map(str, numbers(rng, 5, 31))))
    if rng.random() < 0.5:
        days = rng.sample(CODES, rng.choice([1, 1, 2, 3, 5]))
        ordinals = {"MONTHLY": 5, "YEARLY": 53}.get(freq)
        if ordinals and rng.random() < 0.6:
            if parts and parts[0].startswith("BYMONTH="):
                ordinals = 5
            days = [f"{rng.choice(numbers(rng, 2, ordinals))}{day}" for day in days]
        parts.append("BYDAY=" + ",".join(days))
    rng.shuffle(parts)
    return parts


def random_rule(rng):
    zone = rng.choice(list(ZONES))
    if rng.random() < 0.5:
        start = datetime.fromisoformat(rng.choice(ZONES[zone]))
        start -= timedelta(days=rng.choice([0, 1, 2, 5, 10, 30, 90, rng.randrange(700)]))
        start = max(start, datetime(1990, 1, 1))
    else:
        start = datetime(1990, 1, 1) + timedelta(days=rng.randrange(70 * 365))
    start = datetime.fromisoformat(f"{start.date()}T{rng.choice(TIMES)}")
    freq = rng.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    interval = rng.choice([1, 1, 1, 2, 3, 4, 7, 10, 12])
    parts = [f"FREQ={freq}"] + parts_of(rng, freq, start)
    if interval > 1:
        parts.append(f"INTERVAL={interval}")
    days = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}[freq] * interval
    until = start + timedelta(days=days * rng.randrange(1, 12), minutes=rng.randrange(1440))
    end = rng.choice(["", "", "COUNT", "utc", "civil", "day"])
    if end == "COUNT":
        parts.append(f"COUNT={rng.randrange(1, 15)}")
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


def singles(rng, start, zone, rrule):
    """Times besides, near the start and at any time of day, and some of all times to leave out."""
    if rng.random() < 0.7:
        return [], []
    times = [start + timedelta(days=rng.randrange(-5, 60), minutes=rng.randrange(1440)) for _ in range(3)]
    also = sorted({time.replace(second=0) for time in times if time.year >= 1970})
    own = list(islice(rrulestr(for_dateutil(rrule, zone), dtstart=start), 6))
    return also, sorted(set(rng.sample(own, min(2, len(own))) + rng.sample(also, 1)))


def occurrences(start, zone, rrule, also, left_out):
    rules = rrulestr(for_dateutil(rrule, zone), dtstart=start, forceset=True)
    for time in also:
        rules.rdate(time)
    for time in left_out:
        rules.exdate(time)
    near = islice((time for time in rules), SHOWN + 4)
    found = []
    for each in near:
        # differs: a rule without an end is ours until the end of LAST_YEAR.
        if each.year > LAST_YEAR:
            break
        found.append((each, *resolve(each, zone)))
    # differs: dateutil knows no instants; ours are in their order, and of two at one instant the one
    # planned later stays.
    by_instant = {at: (each, at, adjust) for each, at, adjust in found}
    return [by_instant[at] for at in sorted(by_instant)][:SHOWN]


def packed(start, found):
    """Seconds from one planned time to the next, what each is off UTC where that is new, adjusts."""
    steps, offsets, adjusts = [], {}, {}
    before, off = start, None
    for number, (planned, at, adjust) in enumerate(found):
        steps.append(int((planned - before).total_seconds()))
        now_off = int((planned - at.replace(tzinfo=None)).total_seconds())
        if now_off != off:
            offsets[number] = off = now_off
        if adjust:
            adjusts[number] = adjust
        before = planned
    case = {"steps": steps, "offsets": offsets}
    return case | ({"adjusts": adjusts} if adjusts else {})


def case(rng, start, zone, rrule):
    start = datetime.fromisoformat(start)
    also, left_out = singles(rng, start, zone, rrule)
    found = occurrences(start, zone, rrule, also, left_out)
    if not found:
        return None  # ours refuses what gives nothing
    head = {"start": start.isoformat(), "zone": zone, "rrule": rrule}
    if also:
        head |= {"also": [t.isoformat() for t in also], "except": [t.isoformat() for t in left_out]}
    return head | packed(start, found)


def main():
    rng = random.Random("public")
    made = [case(rng, *rule) for rule in FIXED]
    while len(made) < RULES:
        made += filter(None, [case(rng, *random_rule(rng))])
    cases = [json.dumps(each, separators=(",", ":")) for each in made]
    about = "made by proto/recurrence/oracle.py, which says how the occurrences are packed"
    print(f'{{\n"about": "{about}",')
    print(f'"dateutil": "{version("python-dateutil")}", "tzdata": "{version("tzdata")}",')
    print(f'"shown": {SHOWN},\n"cases": [')
    print(",\n".join(cases))
    print("]\n}")


main()
