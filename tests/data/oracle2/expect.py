#!/usr/bin/env python3
"""Runs bandicoot on the inputs and writes expected/<name>.json. bandicoot must be importable; see README.md."""
import json
import os

import bandicoot as bc
from bandicoot.utils import flatten
from bandicoot.weekmatrix import create_weekmatrices

from generate import FILES, HERE

PLAIN = dict(groupby=None, summary="extended", split_week=True, split_day=True, flatten=True)
WEEKLY = ("edges", "some_only_texted", "west")  # by week as well: large, so not of every file
BOTH = [
    (bc.individual.number_of_contacts, {}), (bc.individual.percent_nocturnal, {}), (bc.individual.entropy_of_contacts, {}),
    (bc.individual.balance_of_contacts, {}), (bc.individual.interactions_per_contact, {}), (bc.individual.interevent_time, {}),
    (bc.individual.percent_pareto_interactions, {}), (bc.individual.number_of_interactions, {}),
    (bc.individual.number_of_interactions, {"direction": "in"}), (bc.individual.number_of_interactions, {"direction": "out"}),
]
SUMMARIES = ("balance_of_contacts", "interactions_per_contact", "interevent_time")


def indicators(user):
    flat = bc.utils.all(user, **PLAIN)
    return {k: v for k, v in flat.items()
            if k != "name" and not k.startswith(("reporting__", "radius_of_gyration__", "attributes__"))}


def combined(user):
    """The indicators that utils.all gives for calls and texts apart, for both together."""
    out = {}
    for f, args in BOTH:
        name = f.__name__
        if "direction" in args:
            name = "number_of_interaction_" + args["direction"]
        datatype = "summarystats" if name in SUMMARIES else "scalar"
        out[name] = f(user, groupby=None, summary="extended", split_week=True, split_day=True, datatype=datatype,
                      interaction="callandtext", **args)
    return flatten(out)


def by_week(user):
    weeks = {}
    for r in user.records:
        weeks.setdefault("%d-W%02d" % r.datetime.isocalendar()[:2], []).append(r)
    out = {}
    for name, records in weeks.items():
        week = bc.User()
        week.records = records
        week.home = user.home
        out[name] = {k: v for k, v in indicators(week).items() if not k.startswith("churn_rate")}
    return out


def daily(user):
    data = bc.visualization.user_data(user)
    network = {}
    for day, contact, n in data["network"]:
        network[(day, contact)] = network.get((day, contact), 0) + n
    return {"indicators": data["indicators"], "network": [[d, c, n] for (d, c), n in sorted(network.items())]}


def main():
    os.makedirs(os.path.join(HERE, "expected"), exist_ok=True)
    for name, (_, offset) in FILES.items():
        user = bc.read_csv(name, HERE, describe=False, warnings=False)
        expected = {
            "utc_offset_s": offset,
            "home": user.home and (user.home.antenna or ""),
            "indicators": indicators(user),
            "combined": combined(user),
            "churn": bc.spatial.churn_rate(user, summary=None),
            "daily": daily(user),
            "hours": [["%s-W%02d" % tuple([w.split("-")[0], int(w.split("-")[1])]), c, d, h, v]
                      for w, c, d, h, v in create_weekmatrices(user)],
        }
        if name in WEEKLY:
            expected["weeks"] = by_week(user)
        with open(os.path.join(HERE, "expected", name + ".json"), "w") as f:
            json.dump(expected, f, indent=0, separators=(",", ":"))
            f.write("\n")


if __name__ == "__main__":
    main()
