"""Tests of what the benchmarks say; `tests/it/benches.rs` runs them, and tries the programs."""

import json
import pathlib
import tempfile
import unittest
from xml.etree import ElementTree

from speed import baseline, machine, svg
from speed.callgrind import functions_in
from speed.driver import Contender, Fault
from speed.figures import Results


class Goals(unittest.TestCase):
    def setUp(self):
        self.said = []
        self.results = Results(self.said.append)

    def measure(self, **milliseconds):
        """Contenders whose measurements took so long."""
        all = []
        for name, times in milliseconds.items():
            contender = Contender(name, None)
            for time in times:
                contender.add(time / 1000, None, False)
            all.append(contender)
        self.results.contenders("case", "a case", all)

    def verdicts(self):
        return [goal["verdict"] for goal in self.results.goals]

    def test_ratio_is_one_of_medians(self):
        self.measure(ours=[9, 2, 2.2], other=[1, 1, 50])
        self.results.ratio("case", "ours", "other", 2.3)
        self.results.ratio("case", "ours", "other", 2.1)
        self.results.ratio("case", "ours", "other")
        self.assertEqual(self.verdicts(), ["met", "MISSED", ""])
        self.assertAlmostEqual(self.results.goals[0]["value"], 2.2)
        self.assertAlmostEqual(self.results.goals[0]["of_least"], 2)

    def test_ratio_of_a_busy_machine_says_so(self):
        self.measure(ours=[1, 1, 1], other=[1, 1, 1])
        self.results.ratio("case", "ours", "other", 2)
        self.results.number("case", "flushes", 1, 1)
        self.results.table()
        table = "\n".join(self.said)
        self.assertIn("met, but the machine was not quiet", table)
        self.assertIn("1 of them on a machine that was not quiet", table)

    def test_goal_against_a_missing_program_is_not_met(self):
        self.measure(ours=[1, 1, 1])
        self.results.ratio("case", "ours", "nq", 1000, missing="nq")
        self.results.number("case", "flushes", None, 1000, missing="strace")
        self.results.number("case", "flushes", 1, 1)
        self.assertEqual(self.verdicts(), ["not measured", "not measured", "met"])
        self.results.table()
        table = "\n".join(self.said)
        self.assertIn("not measured: there is no nq", table)
        self.assertIn("not measured: there is no strace", table)
        self.assertIn("1 met, 0 MISSED, 2 not measured", table)

    def test_only_quiet_measurements_count_where_there_are_enough(self):
        contender = Contender("ours", None)
        for time, is_quiet in [(1, True), (1, True), (9, False), (9, False), (9, False)]:
            contender.add(time, None, is_quiet)
        self.assertFalse(contender.has_enough_quiet())
        contender.add(2, None, True)
        self.assertTrue(contender.has_enough_quiet())
        self.assertEqual(contender.times(True), [1, 1, 2])
        self.assertEqual(contender.times(False), [1, 1, 2, 9, 9, 9])


class Baselines(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "baseline.json"

    def faults(self, is_whole=True, **counts):
        return baseline.compare(self.path, counts, is_whole)[1]

    def test_case_fails_above_its_limit(self):
        baseline.renew(self.path, {"a": 1000, "b": 1000})
        self.assertEqual(self.faults(a=1050, b=10), [])
        expected = "a: 1,051 instructions, which is +5.1% against the baseline of 1,000"
        self.assertEqual(self.faults(a=1051, b=1000), [expected])

    def test_every_case_has_a_baseline_and_every_baseline_a_case(self):
        self.assertIn("no baseline", self.faults(a=1)[0])
        baseline.renew(self.path, {"a": 1000})
        self.assertIn("b: ", self.faults(a=1000, b=1)[0])
        self.assertIn("a: ", self.faults()[0])
        self.assertEqual(self.faults(is_whole=False), [])

    def test_renewing_one_case_keeps_the_others(self):
        baseline.renew(self.path, {"a": 1000, "b": 1000})
        baseline.renew(self.path, {"b": 2000})
        self.assertEqual(self.faults(a=1000, b=2000), [])

    def test_another_machine_is_named_beside_the_fault(self):
        baseline.renew(self.path, {"a": 1000})
        text = self.path.read_text().replace(json.dumps(machine.libc()), '"glibc 1.0"')
        self.path.write_text(text)
        self.assertEqual(self.faults(a=1000), [])
        self.assertIn("another libc: glibc 1.0; here it is", self.faults(a=2000)[1])

    def test_damaged_baseline_is_a_fault(self):
        self.path.write_text("{")
        with self.assertRaises(Fault):
            self.faults(a=1)


class Plots(unittest.TestCase):
    def test_plot_is_an_image_without_a_script(self):
        lines = {"ours <&>": [(10, 1.5), (1000, 3)], "other": [(10, 1), (1000, 97)]}
        text = svg.plot("title <&>", "files", "ms", lines)
        root = ElementTree.fromstring(text)
        kinds = [element.tag.rsplit("}", 1)[1] for element in root.iter()]
        self.assertEqual(kinds.count("polyline"), 2)
        self.assertEqual(kinds.count("circle"), 4)
        self.assertNotIn("script", kinds)
        self.assertIn("prefers-color-scheme: dark", text)

    def test_axis_has_round_values_and_reaches_the_highest(self):
        for highest, expected in [(97, [0, 20, 40, 60, 80, 100]), (0.3, [0, 0.1, 0.2, 0.3])]:
            found = svg.ticks(highest)
            self.assertEqual([round(value, 9) for value in found], expected)


class Functions(unittest.TestCase):
    def test_called_functions_are_named_once_without_hashes(self):
        first = "\n".join([
            "fn=(1) (below main)",
            "cfn=(2) main",
            "fn=(2)",
            "cfn=(3) _ZN4core3ptr4read17h0123456789abcdefE",
            "cfn=(4) _RNvNtCsjrHSEGnQ3l9_3std2io5stdin",
            "cfn=(5) 0x0000000000b32e50",
        ])
        second = "fn=(1) walk\ncfn=(2) walk'2\ncfn=(3) main\n"
        expected = ["main", "core::ptr::read", "std::io::stdin", "walk"]
        self.assertEqual(functions_in([first, second]), expected)


class Files(unittest.TestCase):
    def test_lines_are_at_most_100_characters_wide_and_files_short(self):
        files = list(pathlib.Path(__file__).parent.rglob("*.py"))
        self.assertGreater(len(files), 10)
        for file in files:
            lines = file.read_text().splitlines()
            self.assertLessEqual(len(lines), 300, file)
            self.assertLessEqual(max(map(len, lines)), 100, file)


class Machines(unittest.TestCase):
    def test_file_system_is_named(self):
        self.assertEqual(machine.file_system("/proc"), "proc")

    def test_missing_program_prints_nothing(self):
        self.assertIsNone(machine.first_line("no-such-program-here"))


if __name__ == "__main__":
    unittest.main()
