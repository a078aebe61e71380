"""What was measured: one table for each case as it is done, and one of all goals at the end."""

import json
import statistics

MET, MISSED, NOT_MEASURED = "met", "MISSED", "not measured"


class Results:
    """Collects the numbers of all cases, prints them, and writes them as JSON."""

    def __init__(self, say=print):
        self.say = say
        self.measured, self.goals = [], []

    def title(self, case, what, note=""):
        self.say(f"\n== {case}: {what}{note}")

    def contenders(self, case, what, contenders, base="/bin/true"):
        """The times of a case's contenders in milliseconds, each also as a multiple of `base`."""
        only_quiet = all(contender.has_enough_quiet() for contender in contenders)
        counted = "only quiet ones count" if only_quiet else "no quiet machine: all count"
        self.title(case, what, f" ({len(contenders[0].samples)} rounds, {counted})")
        times = {contender.name: contender.times(only_quiet) for contender in contenders}
        of_base = statistics.median(times[base]) if base in times else None
        head = ("median ms", "least", "9 of 10", "processor", "x true")
        self.say(f"   {'':46}" + "".join(f"{word:>11}" for word in head))
        for contender in contenders:
            counting = times[contender.name]
            median = statistics.median(counting)
            processor = contender.processor()
            row = {
                "median_ms": median * 1000,
                "least_ms": counting[0] * 1000,
                "nine_of_ten_ms": counting[min(len(counting) - 1, len(counting) * 9 // 10)] * 1000,
                "processor_ms": None if processor is None else processor * 1000,
                "of_true": median / of_base if of_base else None,
            }
            cells = ("" if value is None else f"{value:.3f}" for value in row.values())
            self.say(f"   {contender.name:46}" + "".join(f"{cell:>11}" for cell in cells))
            row = {"case": case, "name": contender.name, "measurements": len(counting), **row}
            row["quiet"] = only_quiet
            self.measured.append(row)

    def median(self, case, name):
        """The median of a contender, in milliseconds; None where it was not measured."""
        return self.row(case, name, "median_ms")

    def row(self, case, name, column):
        for row in self.measured:
            if (row["case"], row["name"]) == (case, name):
                return row[column]
        return None

    def ratio(self, case, ours, against, most=None, missing=None):
        """A goal: the median of `ours` is at most `most` times the median of `against`. Without
        `most` the ratio is only shown. `missing` names a program that `against` needs and that is
        not here."""
        a, b = self.median(case, ours), self.median(case, against)
        goal = {"case": case, "ours": ours, "against": against, "goal": most, "unit": "x"}
        if a is None or b is None:
            why = f"there is no {missing}" if missing else "not measured"
            self.goal(goal, value=None, why=why)
        else:
            least = self.row(case, ours, "least_ms") / self.row(case, against, "least_ms")
            # What other processes did to a ratio can make it better as well as worse.
            why = None if self.row(case, ours, "quiet") else "the machine was not quiet"
            self.goal(goal, value=a / b, of_least=least, why=why)

    def number(self, case, ours, value, most=None, unit="", missing=None):
        """A goal about a count: `value`, of which there may be `most`. It is None where it could
        not be counted for want of the program `missing`."""
        goal = {"case": case, "ours": ours, "against": "", "goal": most, "unit": unit}
        why = f"there is no {missing}" if value is None else None
        self.goal(goal, value=value, why=why)

    def goal(self, goal, value, why=None, of_least=None):
        if value is None:
            verdict = NOT_MEASURED
        elif goal["goal"] is None:
            verdict = ""
        else:
            verdict = MET if value <= goal["goal"] else MISSED
        goal = {**goal, "value": value, "of_least": of_least, "verdict": verdict, "why": why}
        self.goals.append(goal)
        self.say("   -> " + self.line(goal, case=False))

    def line(self, goal, case=True):
        against = f" / {goal['against']}" if goal["against"] else ""
        what = (f"{goal['case']}: " if case else "") + goal["ours"] + against
        if goal["value"] is None:
            return f"{what:84} {'':>17} {goal['verdict']}: {goal['why']}"
        unit = f" {goal['unit']}"
        most = "" if goal["goal"] is None else f"goal {goal['goal']:g}"
        verdict = ", but ".join(filter(None, (goal["verdict"], goal["verdict"] and goal["why"])))
        return f"{what:84} {goal['value']:7.2f}{unit:4} {most:9} {verdict}".rstrip()

    def table(self):
        """All goals of the run. A goal that was not measured is named as such: it is not met."""
        self.say("\n== goals: ours, against what, ratio or number, goal")
        wanted = [goal for goal in self.goals if goal["goal"] is not None]
        for goal in wanted:
            self.say("   " + self.line(goal))
        count = {word: sum(goal["verdict"] == word for goal in wanted)
                 for word in (MET, MISSED, NOT_MEASURED)}
        self.say("   " + ", ".join(f"{number} {word}" for word, number in count.items()))
        busy = sum(goal["value"] is not None and goal["why"] is not None for goal in wanted)
        if busy:
            self.say(f"   {busy} of them on a machine that was not quiet: measure these again")

    def write(self, path, about):
        """Writes everything as JSON."""
        text = {"machine": about, "measured": self.measured, "goals": self.goals}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")
