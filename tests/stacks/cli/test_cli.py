"""``python -m stacks``: what its verbs print, write and end with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from stacks.cli.cli import main
from stacks.deploy import workspace
from stacks.environment.source import ROOT
from stacks.placement import local
from tests.stacks import samples
from tests.tracing_lib.samples import MAPPING

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_check_says_in_about_ten_lines_what_it_will_be(environment: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", environment]) == 0
    said = capsys.readouterr()
    first, *lines = said.out.splitlines()
    assert first == f"Pulumi.{environment}.yaml: right"
    assert 8 <= len(lines) <= 12
    assert said.err == ""
    for word in ("target", "intake", "sampling", "gateway", "backend", "disk", "memory", "metrics", "access", "servers"):
        assert sum(line.split()[0] == word for line in lines) == 1
    assert all(len(line) < 200 for line in lines)


def test_check_names_what_decides_the_cost(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "prod"])
    said = capsys.readouterr().out
    for part in ("context virtengine-prod", "5 % of the rest", "30d", "1Ti", "protected", "with TLS and a token", "tracing-operators"):
        assert part in said


def test_check_as_json_holds_every_setting_and_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "prod", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["environment"], found["source"]) == ("prod", "Pulumi.prod.yaml")
    assert found["settings"] == samples.named("prod").environment.model_dump(mode="json")
    assert found["summary"]["target"].startswith("Kubernetes")


def test_a_path_of_a_stack_file_is_an_environment_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Pulumi.staging.yaml"
    path.write_text(samples.FILES["prod"].read_text())
    assert main(["check", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["environment"] == "staging"


def test_outputs_of_an_environment_on_this_machine_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["outputs", "dev", "--local", "--state", str(tmp_path)]
    assert main(asked) == 2
    told = "dev: does not run on this machine\nthen: python -m stacks run dev --state"
    assert capsys.readouterr().err == f"{told} {tmp_path}\n"
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "outputs.json").write_text(json.dumps(MAPPING))
    assert main([*asked, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["otlp_http_endpoint"] == MAPPING["otlp_http_endpoint"]
    assert main(asked) == 0
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={MAPPING['otlp_http_endpoint']}\n" in capsys.readouterr().out


def test_outputs_of_what_only_runs_here_are_asked_for_without_pulumi(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setattr(local, "STATE", tmp_path)
    monkeypatch.setattr(workspace, "_command", lambda _say: pytest.fail("Pulumi was looked for"))
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "outputs.json").write_text(json.dumps(MAPPING))
    assert main(["outputs", "dev", "--state", str(tmp_path / "pulumi")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("dev: is not deployed, and runs on this machine\nthen: python -m stacks outputs dev --local, or: ")
    assert "make outputs ENV=dev ARGS=--local" in said


@pytest.mark.parametrize(("option", "title"), [([], "Stack file"), (["--outputs"], "Outputs")])
def test_schema_prints_json(option: list[str], title: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", *option]) == 0
    assert title in json.loads(capsys.readouterr().out)["title"]


@pytest.mark.parametrize("arguments", [[], ["no-such-verb"], ["check"], ["render", "dev"], ["diff", "dev"], ["schema", "--x"]])
def test_a_wrong_command_line_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_render_writes_the_plan_and_every_document_and_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "prod"
    assert main(["render", "prod", "-o", str(folder)]) == 0
    assert set(capsys.readouterr().out.split()) == {str(folder / name) for name in tree(folder)}
    written = set(tree(folder))
    assert {name for name in written if name.startswith("kubernetes/")} == {
        "kubernetes/0-namespace.yaml",
        *(f"kubernetes/1-{workload}.yaml" for workload in ("access", "agent", "gateway", "jaeger", "sampling")),
        "kubernetes/2-consumers.yaml",
        "kubernetes/3-monitoring.yaml",
    }
    assert {name for name in written if not name.startswith("kubernetes/")} == {
        "plan.json",
        "access/oauth2-proxy.cfg",
        "agent/collector.yaml",
        "gateway/collector.yaml",
        "jaeger/jaeger.yaml",
        "monitoring/alerts.yaml",
        "monitoring/alerts_test.yaml",
        "sampling/sampling.yaml",
        "sampling/strategies.json",
    }


PEM = (ROOT / "tests/fixtures/authority.pem").read_text()


def test_rendered_consumers_trust_the_authority_that_stands_in_the_stack_file(tmp_path: Path) -> None:
    stack_file = tmp_path / "Pulumi.prod.yaml"
    document = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
    document["config"]["virtengine-tracing:tracing-ingest-tls.ca.crt"] = PEM
    stack_file.write_text(yaml.safe_dump(document))
    assert main(["render", str(stack_file), "-o", str(tmp_path / "out")]) == 0
    consumers = yaml.safe_load((tmp_path / "out/kubernetes/2-consumers.yaml").read_text())
    assert consumers["data"]["otlp-ca.crt"] == PEM
    assert json.loads(consumers["data"]["VIRTENGINE_TRACING_OUTPUTS_JSON"])["otlp_certificate"] == PEM


def test_an_authority_of_the_intake_that_is_no_certificate_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack_file = tmp_path / "Pulumi.prod.yaml"
    document = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
    document["config"]["virtengine-tracing:tracing-ingest-tls.ca.crt"] = "tls/ca.crt"
    stack_file.write_text(yaml.safe_dump(document))
    assert main(["check", str(stack_file)]) == 2
    said = capsys.readouterr().err
    assert 'virtengine-tracing:tracing-ingest-tls.ca.crt: "tls/ca.crt" is no certificate; write its PEM' in said
    assert said.splitlines()[-1] == f"then: python -m stacks check {stack_file}"


def test_render_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    for seed in ("1", "4711"):
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "stacks",
            "render",
            "tests/fixtures/Pulumi.prod-tempo-s3.yaml",
            "-o",
            tmp_path / seed,
        ]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": seed})
    assert tree(tmp_path / "1") == tree(tmp_path / "4711")


def test_render_refuses_a_folder_that_holds_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("do not lose this")
    assert main(["render", "dev", "-o", str(tmp_path)]) == 2
    assert "holds files that are no rendered plan; name another folder, or empty it" in capsys.readouterr().err
    assert tree(tmp_path) == {"thesis.txt": b"do not lose this"}


def test_render_takes_away_what_an_earlier_plan_left_and_nothing_else(tmp_path: Path) -> None:
    assert main(["render", "prod", "-o", str(tmp_path)]) == 0
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["render", str(samples.FILES["prod-tempo"]), "-o", str(tmp_path)]) == 0
    top = {path.name for path in tmp_path.iterdir()}
    assert "jaeger" not in top
    assert {"tempo", "grafana", "notes.txt", "plan.json"} <= top


def test_render_of_a_bad_environment_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    bad = tmp_path / "Pulumi.bad.yaml"
    bad.write_text("")
    assert main(["render", str(bad), "-o", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "plan",
    [
        "",
        "[]",
        "null",
        '{"workloads": 5}',
        '{"workloads": [{}]}',
        '{"workloads": [{"name": "../thesis"}]}',
        '{"workloads": [{"name": ""}]}',
    ],
)
def test_render_takes_nothing_away_for_a_plan_that_is_none(plan: str, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "one.txt").write_text("do not lose this")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plan.json").write_text(plan)
    before = tree(tmp_path)
    assert main(["render", "dev", "-o", str(tmp_path / "out")]) == 2
    assert tree(tmp_path) == before


@pytest.mark.parametrize("below", ["", "x"], ids=["a file", "below a file"])
def test_render_onto_a_file_is_refused_in_words(below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["render", "dev", "-o", str(tmp_path / "file" / below)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / 'file'}")
    assert said.endswith("cannot be written: Not a directory; name another folder with -o\n")


def test_check_and_render_import_neither_pulumi_nor_tables_nor_telemetry(tmp_path: Path) -> None:
    render = ["render", "prod", "-o", str(tmp_path / "out")]
    heavy = ("pulumi", "rich", "opentelemetry", "grpc", "jsonschema", "httpx")
    program = (
        f"import sys; from stacks.cli.cli import main; assert main(['check', 'prod']) == main({render!r}) == 0; "
        f"print(sorted({{m.partition('.')[0] for m in sys.modules}} & set({heavy!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fault", "dev", "hang", "jaeger", "--seconds", "-1"],
        ["fault", "dev", "hang", "jaeger", "--seconds", "nan"],
        ["fault", "dev", "slow", "jaeger", "--share", "2"],
        ["load", "dev", "--spans", "0"],
        ["load", "dev", "--traces-per-second", "0"],
        ["load", "dev", "--seconds", "inf"],
    ],
)
def test_a_number_that_a_trial_cannot_use_is_refused_before_anything_is_done(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2


def test_what_runs_is_found_by_the_path_of_its_stack_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Pulumi.own.yaml"
    file.write_text((ROOT / "Pulumi.dev.yaml").read_text())
    assert main(["ps", str(file), "--state", str(tmp_path / "state")]) == 2
    assert f"{tmp_path / 'state' / 'own'}: no environment runs here" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["file", "file/deeper"])
def test_a_folder_of_the_state_that_cannot_be_made_is_told_in_a_line(
    below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["run", "dev", "--state", str(tmp_path / below)]) == 2
    assert "name another folder with --state" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error_in_words() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as unread:
        command = [sys.executable, "-m", "stacks", "check", "dev"]
        done = subprocess.run(command, cwd=ROOT, stdout=unread, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")
