"""`root`, `why-alive`, `gc`, `remove`, `du`: what they say, what they take, and how they end."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def present(cli: Any) -> set[str]:
    return {one["name"] for one in cli.json("ls")["realizations"] if one["present"]}


def test_what_a_target_gave_has_an_automatic_root(cli: Any) -> None:
    cli("realize", "flow.py:report")
    cli("realize", "flow.py:numbers", "--set", "count=9")
    roots = cli.json("root")["roots"]
    assert [(root["kind"], root["name"][:-9]) for root in roots] == [("auto", "auto-numbers"), ("auto", "auto-report")]
    cli("gc", "--unreachable")
    assert present(cli) == {"report", "model", "numbers"}
    collected = [one for one in cli.json("ls")["realizations"] if not one["present"]]
    assert [one["name"] for one in collected] == ["model"], "the worse of two"
    assert "not here" in cli("ls", "model").stdout
    assert "3 of 3 reused" in cli("realize", "flow.py:report").stderr


def test_what_was_finished_has_a_root_though_something_fails(cli: Any) -> None:
    path = cli.directory / "failing.py"
    path.write_text(
        "from flow import numbers\nfrom pylightnix import Dep, stage\n\n\n@stage\n"
        "def last(source: Dep = numbers(count=8)) -> int:\n    raise ValueError('no')\n"
    )
    cli("realize", "flow.py:numbers", "failing.py:last", code=1)
    names = [root["name"] for root in cli.json("root")["roots"]]
    assert [name[:-9] for name in names] == ["auto-numbers", "auto-unfinished"]
    assert cli.json("gc", "--unreachable")["collected"] == []
    path.write_text(path.read_text().replace("raise ValueError('no')", "return 1"))
    cli("realize", "failing.py:last")
    names = [root["name"] for root in cli.json("root")["roots"]]
    assert [name[:-9] for name in names] == ["auto-last", "auto-numbers"]
    assert cli.json("gc", "--unreachable")["collected"] == []


def test_realizing_a_target_again_renews_its_root_wherever_it_is_called(cli: Any) -> None:
    (cli.directory / "below").mkdir()
    cli("realize", "flow.py:numbers")
    cli("realize", "../flow.py:numbers", cwd=cli.directory / "below")
    assert len(cli.json("root")["roots"]) == 1
    (cli.directory / "flow.py").write_text(
        (cli.directory / "flow.py").read_text().replace('" ".join(map', '" - ".join(map')
    )  # another size: Python believes a cached module of the same second and size
    cli("realize", "flow.py:numbers")
    assert len(cli.json("root")["roots"]) == 1
    assert len(cli.json("gc", "--unreachable")["collected"]) == 1


def test_roots_are_added_listed_and_removed(cli: Any) -> None:
    assert "no roots" in cli("root").stderr
    cli("realize", "flow.py:report", "--root", "kept")
    cli("root", "paper", "flow.py:model")
    assert re.search(r"^paper +named +\d+ s +model [0-9a-f]{8}$", cli("root").stdout, re.MULTILINE)
    assert [root["name"] for root in cli.json("root")["roots"]][1:] == ["kept", "paper"]
    cli("root", "--remove", "paper", "--remove", "kept")
    assert [root["kind"] for root in cli.json("root")["roots"]] == ["auto"]
    assert "no root is named 'paper'" in cli("root", "--remove", "paper", code=2).stderr
    assert "what shall be kept" in cli("root", "paper", code=2).stderr
    assert "not a name for a root" in cli("root", "a/b", "flow.py:model", code=2).stderr
    assert "not realized" in cli("root", "x", "flow.py:few", code=2).stderr


def test_a_root_keeps_what_a_realize_chose_when_the_code_has_changed(cli: Any) -> None:
    cli("realize", "flow.py:report", "--root", "paper")
    auto = next(root["name"] for root in cli.json("root")["roots"] if root["kind"] == "auto")
    cli("root", "--remove", auto)
    cli("gc", "--unreachable", "--now")
    assert present(cli) == {"report", "model", "numbers"}
    cli("root", "--remove", "paper")
    assert len(cli.json("gc", "--unreachable", "--now")["collected"]) == 3
    assert os.listdir(cli.store / "store") == []
    assert "no damage" in cli("verify").stderr


def test_a_link_keeps_until_it_vanishes(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    (auto,) = cli.json("root")["roots"]
    cli("root", "--link", "result", "flow.py:numbers")
    cli("root", "--remove", auto["name"])
    assert (cli.directory / "result" / "table.txt").read_text() == "0 1 2"
    (root,) = cli.json("root")["roots"]
    assert root["link"] == str(cli.directory / "result")
    cli("gc", "--unreachable")
    assert present(cli) == {"numbers"}
    (cli.directory / "result").unlink()
    assert cli.json("root")["roots"][0]["stands"] is False
    assert "(vanished)" in cli("root").stdout
    told = cli("gc", "--unreachable")
    assert "roots whose links or files have vanished: link-" in told.stderr
    assert present(cli) == set()
    assert cli.json("root")["roots"] == []


def test_a_link_that_leads_elsewhere_keeps_no_more(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    cli("realize", "flow.py:few")
    for root in cli.json("root")["roots"]:
        cli("root", "--remove", root["name"])
    cli("root", "--link", "result", "flow.py:numbers")
    cli("root", "--link", "result", "flow.py:few")
    assert len(cli.json("gc", "--unreachable")["collected"]) == 1
    (cli.directory / "file").write_text("mine")
    assert "no link" in cli("root", "--link", "file", "flow.py:few", code=1).stderr
    assert (cli.directory / "file").read_text() == "mine"
    assert "--link takes one TARGET" in cli("root", "--link", "x", "a", "b", code=2).stderr


def test_the_directory_of_a_link_or_lock_file_is_not_made(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    for option, what in (("--link", "link"), ("--lock", "lock file")):
        told = cli("root", option, "none/x", "flow.py:numbers", code=1).stderr
        assert f"the directory of the {what} is not there" in told
        assert str(cli.directory / "none") in told
        assert "another store" not in told


def test_a_lock_file_keeps_what_it_names_until_it_vanishes(cli: Any) -> None:
    for name in ("numbers", "few"):
        cli("realize", f"flow.py:{name}")
    for root in cli.json("root")["roots"]:
        cli("root", "--remove", root["name"])
    lock = cli.directory / "paper.lock"
    cli("root", "--lock", "paper.lock", "flow.py:few")
    of_few = lock.read_bytes()
    cli("root", "--lock", "paper.lock", "flow.py:numbers", "flow.py:few")
    assert str(cli.directory) not in lock.read_text()
    (root,) = cli.json("root")["roots"]
    assert (root["kind"], root["link"], len(root["keeps"])) == ("lock", str(lock), 2)
    assert cli.json("gc", "--unreachable")["collected"] == []
    lock.write_bytes(of_few)  # as a checkout of another version does
    assert len(cli.json("gc", "--unreachable")["collected"]) == 1
    lock.unlink()
    assert "(vanished)" in cli("root").stdout
    assert "roots whose links or files have vanished: lock-" in cli("gc", "--unreachable").stderr
    assert present(cli) == set()


def test_a_lock_file_of_another_store_keeps_what_is_here(cli: Any) -> None:
    cli("realize", "flow.py:numbers", "--root", "mine")
    cli("realize", "flow.py:few", "--store", "other")
    cli("root", "--lock", "few.lock", "flow.py:few", "--store", "other")
    cli("root", "--lock", "both.lock", "flow.py:numbers")
    (cli.directory / "both.lock").write_bytes((cli.directory / "few.lock").read_bytes())
    assert {tuple(root["keeps"]) for root in cli.json("root")["roots"] if root["kind"] == "lock"} == {()}
    assert cli.json("gc", "--unreachable")["collected"] == []


def test_a_lock_file_that_cannot_be_read_stops_a_collection(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    cli("root", "--lock", "paper.lock", "flow.py:numbers")
    (cli.directory / "paper.lock").write_text("<<<<<<< ours")
    assert "a root cannot be read" in cli("gc", "--unreachable", code=1).stderr
    assert present(cli) == {"numbers"}
    told = cli("root", "--lock", "paper.lock", "flow.py:numbers", code=1).stderr
    assert "no lock file" in told
    assert (cli.directory / "paper.lock").read_text() == "<<<<<<< ours"
    assert "one" in cli("root", "--lock", "a", "--link", "b", "flow.py:numbers", code=2).stderr
    assert "TARGET" in cli("root", "--lock", "a", code=2).stderr


def test_why_alive_names_the_chain(cli: Any) -> None:
    cli("realize", "flow.py:report", "--root", "paper")
    ref = cli.json("ls", "numbers")["realizations"][0]["ref"]
    told = cli("why-alive", ref[:10]).stdout.splitlines()
    assert len(told) == 2
    assert re.fullmatch(r"root paper → report [0-9a-f]{8}( → model [0-9a-f]{8})? → numbers [0-9a-f]{8}", told[1])
    (one,) = cli.json("why-alive", ref[:10])["chains"]
    assert one["ref"] == ref
    cli("realize", "flow.py:numbers", "--rebuild", "numbers")
    for root in cli.json("root")["roots"]:
        cli("root", "--remove", root["name"])
    assert "no root reaches numbers" in (told := cli("why-alive", ref[:10], code=1).stderr)
    assert "gc --unreachable takes it" in told
    cli("gc", "--unreachable")
    told = cli("why-alive", ref[:10], code=1).stderr
    assert "its artifacts are not here" in told
    assert "takes it" not in told


def test_without_a_scope_it_shows_what_each_would_free(cli: Any) -> None:
    cli("realize", "flow.py:model")
    told = cli("gc", code=2)
    assert re.search(r"^--unreachable +1 ", told.stdout, re.MULTILINE)
    assert re.search(r"^--keep-best 1 score +", told.stdout, re.MULTILINE)
    assert re.search(r"^--max-size ", told.stdout, re.MULTILINE)
    assert "nothing was collected: give a scope" in told.stderr
    assert present(cli) == {"model", "numbers"}
    assert len(cli.json("gc", code=2)["scopes"]) == 5
    for others in (["--dry-run"], ["--dry-run", "--forget", "--keep-small", "1k"]):
        assert "give a scope" in cli("gc", *others, code=2).stderr
    assert "did nothing" not in cli("gc", code=2).stderr


def test_what_sweeps_alone_is_told_to_need_a_scope(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    old = cli.store / "failed" / "20200101T000000-numbers-x"
    old.mkdir(parents=True)
    assert "--now, --failed did nothing: beside a scope" in cli("gc", "--failed", "0d", "--now", code=2).stderr
    assert old.exists()
    cli("gc", "--failed", "0d", "--max-size", "1P")
    assert not old.exists()
    assert present(cli) == {"numbers"}


def test_a_dry_run_lists_names_parameters_sizes_and_reasons(cli: Any) -> None:
    cli("realize", "flow.py:numbers", "--set", "count=2")
    (root,) = cli.json("root")["roots"]
    cli("root", "--remove", root["name"])
    told = cli("gc", "--unreachable", "--dry-run")
    assert re.search(r"^[0-9a-f]{8}  numbers +3 B  count=2 +no root reaches it$", told.stdout, re.MULTILINE)
    assert "1 realization of 3 B would be collected, 0 B left" in told.stderr
    (one,) = cli.json("gc", "--unreachable", "--dry-run")["collected"]
    assert (one["name"], one["params"], one["size"]) == ("numbers", {"count": 2}, 3)
    assert present(cli) == {"numbers"}
    assert cli.json("gc", "--older-than", "1d", "--dry-run")["collected"] == []


def test_what_is_forgotten_is_listed_with_its_parameters_too(cli: Any) -> None:
    cli("realize", "flow.py:numbers", "--set", "count=2")
    cli("realize", "flow.py:numbers", "--set", "count=3")
    for root in cli.json("root")["roots"]:
        cli("root", "--remove", root["name"])
    (one, _) = cli.json("gc", "--unreachable", "--dry-run", "--forget")["collected"]
    cli("root", "kept", one["ref"])
    other = 5 - one["params"]["count"]
    told = cli("gc", "--unreachable", "--forget", "--now").stdout
    assert re.search(rf" numbers .* count={other} +no root reaches it$", told, re.MULTILINE)
    cli("root", "--remove", "kept")
    assert cli.json("gc", "--unreachable", "--forget")["collected"][0]["params"] == one["params"]


def test_what_was_collected_can_be_restored_or_made_again(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    (root,) = cli.json("root")["roots"]
    cli("root", "--remove", root["name"])
    (one,) = cli.json("gc", "--unreachable")["collected"]
    listed = cli("gc", "--list-trash").stdout
    assert re.search(r"numbers  artifacts +5 B  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00$", listed, re.MULTILINE)
    (trashed,) = cli.json("gc", "--list-trash")["trash"]
    assert (trashed["ref"], trashed["size"]) == (one["ref"], 5)
    assert datetime.now(UTC) < datetime.fromisoformat(trashed["until"]) < datetime.now(UTC) + timedelta(8)
    path = cli("gc", "--restore", one["ref"][:8]).stdout.split("\t")[1].strip()
    assert (Path(path) / "table.txt").read_text() == "0 1 2"
    assert "trash is empty" in cli("gc", "--list-trash").stderr
    assert "not in the trash" in cli("gc", "--restore", one["ref"][:8], code=2).stderr
    cli("gc", "--unreachable")
    told = cli("gc", "--unreachable", "--now").stderr
    assert "1 thing removed from the trash for good" in told
    assert "belonged to nobody" not in told
    told = cli("realize", "flow.py:numbers")
    assert "chosen, but its artifacts are not here" in told.stderr
    assert len(cli.json("ls")["realizations"]) == 1


def test_what_restores_or_lists_goes_with_nothing_that_it_would_pass_over(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    (root,) = cli.json("root")["roots"]
    cli("root", "--remove", root["name"])
    (one,) = cli.json("gc", "--unreachable")["collected"]
    told = cli("gc", "--dry-run", "--restore", one["ref"], code=2)
    assert "--restore does nothing else, so it cannot be given with --dry-run" in told.stderr
    assert present(cli) == set()
    for other in (["--unreachable"], ["--now"], ["--trash", "7d"], ["--restore", one["ref"]]):
        assert "cannot be given with" in cli("gc", "--list-trash", *other, code=2).stderr
    cli("gc", "--restore", one["ref"], "--store", cli.store)
    assert present(cli) == {"numbers"}


def test_remove_takes_the_record_too(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    ref = cli.json("ls")["realizations"][0]["ref"]
    cli("root", "paper", ref)
    refused = cli("remove", ref, code=1).stderr
    assert "kept alive by auto-numbers-" in refused
    assert re.search(r"pylightnix root --remove auto-numbers-[0-9a-f]{8} --remove paper; or", refused)
    cli("root", "--remove", "paper")
    cli("remove", ref, "--force")
    assert cli.json("ls")["realizations"] == []
    cli("gc", "--restore", ref)
    assert len(cli.json("ls")["realizations"]) == 1
    assert cli.json("remove", ref, "--force", "--now")["removed"] == [ref]
    assert "not in the trash" in cli("gc", "--restore", ref, code=2).stderr
    assert "is named" in cli("remove", ref, code=2).stderr
    assert "Missing argument" in cli("remove", code=2).stderr


def test_if_one_is_refused_none_is_removed(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    cli("root", "--remove", cli.json("root")["roots"][0]["name"])
    cli("realize", "flow.py:few")
    refs = {one["size"]: one["ref"] for one in cli.json("ls")["realizations"]}
    free, rooted = refs[5], refs[7]
    assert "kept alive by auto-numbers-" in cli("remove", free, rooted, code=1).stderr
    assert len(cli.json("ls")["realizations"]) == 2
    told = cli("remove", free[:12], free, rooted, "--force").stderr
    assert told.count("removed ") == 2
    assert "from now on no collection is made" in told
    assert cli.json("ls")["realizations"] == []
    assert "is not known" in cli("gc", "--unreachable", code=1).stderr


def test_in_doubt_it_refuses_and_says_what_is_at_stake(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    (cli.store / "roots" / "strange").write_text("")
    told = cli("gc", "--unreachable", code=1)
    assert "a root cannot be read" in told.stderr
    assert "1 realizations of 5 bytes would have been in danger" in told.stderr
    (cli.store / "roots" / "strange").unlink()
    (cli.store / "format.json").unlink()
    (cli.store / "format.json").write_text('{"pylightnix":"store/99"}')
    assert "store/99" in cli("gc", "--unreachable", code=2).stderr


def test_what_is_no_root_is_named_and_can_be_taken_away(cli: Any) -> None:
    cli("realize", "flow.py:numbers", "--root", "kept")
    strange, folder = cli.store / "roots" / "strange.json", cli.store / "roots" / "folder"
    strange.write_text("")
    folder.mkdir()
    told = cli("root")
    assert "kept" in told.stdout
    assert str(strange) in told.stderr
    assert "root --remove strange.json" in told.stderr
    document = cli.json("root")
    assert [root["kind"] for root in document["roots"]] == ["auto", "named"]
    assert [one["path"] for one in document["unreadable"]] == [str(folder), str(strange)]
    assert str(strange) in cli("du").stderr
    assert len(cli.json("du")["unreadable"]) == 2
    assert "a root cannot be read" in cli("du", "--roots", code=1).stderr
    told = cli("root", "--remove", "folder", code=1).stderr
    assert "this is a directory" in told
    assert str(folder) in told
    folder.rmdir()
    cli("gc", "--unreachable", code=1)
    assert "a root cannot be read" in cli("why-alive", "flow.py:numbers", code=1).stderr
    cli("root", "--remove", "strange.json")
    assert cli.json("gc", "--unreachable")["collected"] == []
    assert [root["kind"] for root in cli.json("root")["roots"]] == ["auto", "named"]


def test_du_weighs_by_stage_and_by_root(cli: Any) -> None:
    cli("realize", "flow.py:report")
    cli("realize", "flow.py:few")
    stages = {one["name"]: one for one in cli.json("du")["stages"]}
    numbers, model, report = stages["numbers"], stages["model"], stages["report"]
    assert numbers["own"] == 5 + 7
    assert numbers["realizations"] == 2
    assert report["closure"] > model["own"] / 2 + 5
    roots = {one["name"][:11]: one for one in cli.json("du")["roots"]}
    assert roots["auto-report"]["realizations"] == 3
    assert roots["auto-number"] == {**roots["auto-number"], "own": 7, "closure": 7}
    assert roots[""]["realizations"] == 1, "the worse model"
    lines = cli("du").stdout.splitlines()
    assert lines[0].split() == ["stage", "realizations", "own", "closure"]
    assert cli("du", "--roots").stdout.splitlines()[-1].startswith("(no root)")
    cli("gc", "--unreachable")
    told = cli("du").stderr
    assert "in the trash, 1 realization of which only the record is here" in told
