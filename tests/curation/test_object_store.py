"""A run on an object store: moto's server stands for S3."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.curation.runs import pages_of, rows_of, run_here, table, write_pages, write_rows

moto_server = pytest.importorskip("moto.server")
pytest.importorskip("s3fs")
boto3 = pytest.importorskip("boto3")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Environment in which ``s3://crawl`` is an empty bucket."""
    server = moto_server.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="crawl")
    yield environment
    server.stop()


def keys() -> dict[str, bytes]:
    client = boto3.client("s3")
    found = client.list_objects_v2(Bucket="crawl").get("Contents", [])
    return {entry["Key"]: client.get_object(Bucket="crawl", Key=entry["Key"])["Body"].read() for entry in found}


def test_stages_on_an_object_store(store: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curated = write_rows(tmp_path / "curated.jsonl", [{"id": row["id"], "text": row["text"]} for row in rows_of(8)])
    site = write_pages(tmp_path / "site.warc.gz", pages_of(6))
    boto3.client("s3").upload_file(str(site), "crawl", "in/site.warc.gz")
    settings = ["--set", f"filter.positives=[{curated}]", "--set", "filter.keep_rule=none"]

    def run(*arguments: object) -> str:
        assert run_here(*arguments) == 0
        return capsys.readouterr().out

    def both(folder: object) -> str:
        common = ["--run", folder, "--quiet"]
        return run("crawl", "s3://crawl/in/*.warc.gz", *common) + run("filter", *settings, *common)

    both("s3://crawl/run")
    stored = keys()
    for key in [key for key in stored if key.startswith("run/")]:
        path = tmp_path / "copy" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored[key])
    both(tmp_path / "local")
    for stage in ("crawl", "filter"):
        for folder in ("documents", "ledger"):
            assert table(tmp_path / "copy/run", stage, folder).equals(table(tmp_path / "local", stage, folder))
    # A damaged object is made again, the others are used again, and what has no manifest is deleted.
    manifest = json.loads(stored["run/filter/manifests/part-00000.json"])
    boto3.client("s3").put_object(Bucket="crawl", Key=f"run/{manifest['files'][0]['name']}", Body=b"damage")
    boto3.client("s3").put_object(Bucket="crawl", Key="run/filter/documents/part-00009.parquet", Body=b"no manifest")
    said = both("s3://crawl/run")
    assert "1 of 1 parts reused" in said
    assert "1 of 2 parts reused" in said
    changing = ("summary.json", "metrics.jsonl")
    assert {key: value for key, value in keys().items() if not key.endswith(changing)} == {
        key: value for key, value in stored.items() if not key.endswith(changing)
    }
    assert "verified: " in run("verify", "--run", "s3://crawl/run")
    assert run("explain", "http://www.example.org/3", "--run", "s3://crawl/run").startswith("document 00000003\n")


def test_no_such_bucket(store: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_rows(tmp_path / "rows.jsonl", rows_of(2))
    assert run_here("decontaminate", "--input", path, "--run", "s3://missing/run", "--quiet") == 1
    said = capsys.readouterr().err
    assert (said.startswith("error: "), said.count("\n"), "s3://missing/run" in said) == (True, 1, True)
