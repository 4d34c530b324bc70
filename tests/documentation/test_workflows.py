"""The workflows that the documentation offers: right for their own linter, and their steps do in a clone what they say."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.documents.images import TEST_SERVERS
from components.local.errors import MissingProgramError
from components.local.programs import find_program
from stacks.environment.source import ROOT
from tests.stacks import samples
from tests.stacks.rehearse.recordings import all_of, recording, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


FOLDER = ROOT / "docs" / "workflows"
GITHUB = [*sorted(FOLDER.glob("github-*.yml")), *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
GITLAB = FOLDER / "gitlab-review.yml"
BUILT = (".venv", "build", ".git", ".state")


def loaded(path: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def review() -> str:
    """The script by which the workflow of GitHub writes a review."""
    (script,) = [
        step["run"] for step in loaded(FOLDER / "github-review.yml")["jobs"]["review"]["steps"] if "make review" in step.get("run", "")
    ]
    return str(script)


@pytest.mark.server
def test_workflows_are_right_for_their_own_linter() -> None:
    try:
        linter = find_program(TEST_SERVERS["actionlint"], toolchain=ROOT / "toolchain", say=print)
    except MissingProgramError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"actionlint is neither on PATH nor can it be built: {error}")
    done = subprocess.run([linter, "-no-color", *GITHUB], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")
    assert len(GITHUB) > 2


def test_both_hosts_run_the_same_review() -> None:
    document = loaded(GITLAB)
    assert document["review-of-environments"]["script"][0] == review()
    for job in document.values():
        assert job["image"]
        for line in (*job.get("before_script", ()), *job["script"]):
            subprocess.run(["bash", "-n"], input=line, text=True, check=True)


def clone(folder: Path) -> Path:
    """A clone of the tree as it is, with one commit, beside the same packages."""
    tree = folder / "clone"
    shutil.copytree(ROOT, tree, ignore=lambda where, names: [name for name in names if where == str(ROOT) and name.startswith(BUILT)])
    (tree / ".venv").symlink_to(ROOT / ".venv")
    # What is older than the packages are does not install them anew.
    for file in (path for path in tree.rglob("*") if path.is_file() and ".venv" not in path.parts):
        os.utime(file, (0, 0))
    samples.git(tree, "init", "--quiet")
    samples.git(tree, "add", "Pulumi.prod.yaml")
    samples.git(tree, "commit", "--quiet", "--message", "first")
    return tree


@pytest.mark.server
def test_the_steps_of_the_review_write_what_a_change_loses(tmp_path: Path) -> None:
    tree = clone(tmp_path)
    file = tree / "Pulumi.prod.yaml"
    file.write_text(file.read_text().replace("errors: true", "errors: false"))
    write_lines(tmp_path / "traces.jsonl", all_of(recording(60)))
    environment = os.environ | {"ENVIRONMENTS": "prod", "BASE": "HEAD", "TRACES": str(tmp_path / "traces.jsonl")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", review()], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tree / "build" / "review-all.md").read_text()
    assert "### prod&#64;HEAD → prod" in text
    assert "| gateway | restarts | collector.yaml |" in text
    assert "### Rehearsal: Pulumi.prod.yaml&#64;HEAD → Pulumi.prod.yaml" in text
    assert "| failed | portal POST /orders |" in text


TEXT = '### prod → prod\n\n| `a` | "b" $(id) |\n'
GH = f"""#!{sys.executable}
import sys, urllib.request
# The options of gh 2.6x, in the order of its documentation.
command, number, options, file = sys.argv[1:3], sys.argv[3], sys.argv[4:-1], sys.argv[-1]
assert command == ["pr", "comment"] and options == ["--edit-last", "--create-if-none", "--body-file"], sys.argv
urllib.request.urlopen(f"http://127.0.0.1:{{open(sys.argv[0] + '.port').read()}}/comments/{{number}}", data=open(file, "rb").read())
"""


@contextmanager
def host() -> Iterator[tuple[int, list[tuple[str, Mapping[str, str], bytes]]]]:
    """The place of a host of repositories: takes what is sent, and notes path, headers and body."""
    taken: list[tuple[str, Mapping[str, str], bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port, taken
        finally:
            server.shutdown()


def run_step(script: str, folder: Path, variables: Mapping[str, str]) -> None:
    """Run a step as its host does, after one that has written a review."""
    (folder / "build").mkdir()
    (folder / "build" / "review-all.md").write_text(TEXT)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_step_of_github_comments_with_the_whole_review(tmp_path: Path) -> None:
    steps = [step for step in loaded(FOLDER / "github-review.yml")["jobs"]["review"]["steps"] if "gh pr" in step.get("run", "")]
    summary = [step for step in loaded(FOLDER / "github-review.yml")["jobs"]["review"]["steps"] if "SUMMARY" in step.get("run", "")]
    with host() as (port, taken):
        (tmp_path / "gh").write_text(GH)
        (tmp_path / "gh").chmod(0o755)
        (tmp_path / "gh.port").write_text(str(port))
        variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NUMBER": "7", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
        run_step("\n".join(step["run"] for step in [*summary, *steps]), tmp_path, variables)
    assert [(path, body.decode()) for path, _, body in taken] == [("/comments/7", TEXT)]
    assert (tmp_path / "summary").read_text() == TEXT


@pytest.mark.parametrize("token", ["a-token", ""])
def test_the_step_of_gitlab_writes_a_note_where_it_has_a_token(tmp_path: Path, token: str) -> None:
    if missing := [program for program in ("jq", "curl") if shutil.which(program) is None]:
        pytest.skip(f"{' and '.join(missing)} not on PATH, which the image of the workflow installs")
    (script,) = [line for line in loaded(GITLAB)["review-of-environments"]["script"] if "PRIVATE-TOKEN" in line]
    with host() as (port, taken):
        place = {"CI_API_V4_URL": f"http://127.0.0.1:{port}/api/v4", "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "5", "NO_PROXY": "*"}
        run_step(script, tmp_path, place | {"REVIEW_TOKEN": token})
    sent = [(path, headers["PRIVATE-TOKEN"], json.loads(body)) for path, headers, body in taken]
    assert sent == ([("/api/v4/projects/3/merge_requests/5/notes", token, {"body": TEXT})] if token else [])


def test_a_review_of_an_environment_that_is_wrong_fails_with_its_errors(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.bad.yaml").write_text("config: {}\n")
    review = ROOT / "build" / "review.md"
    before = review.read_text() if review.is_file() else None
    command = ["make", "-o", ".venv/ready", "review", "A=prod", f"B={tmp_path / 'Pulumi.bad.yaml'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "then: python -m stacks check " in done.stderr
    assert (review.read_text() if review.is_file() else None) == before
