"""A run on an object store: moto's server stands for S3."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.curation.runs import pages_of, rows_of, run_here, table, write_pages, write_rows

moto_server = pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")
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
    s3fs.S3FileSystem.clear_instance_cache()  # a client of the test before would go to that test's server
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


def test_a_snapshot_from_a_bucket(
    store: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documents are those of a mirror on the disk, whatever the place; an object that is missing fails alone."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="commoncrawl")
    paths = [f"crawl-data/CC-MAIN-2024-22/segments/1/warc/{number}.warc.gz" for number in range(3)]
    listed = tmp_path / "list.paths"
    listed.write_text("".join(f"s3://commoncrawl/{path}\n" for path in paths), encoding="utf-8")
    for number, path in enumerate(paths):
        (tmp_path / "mirror" / path).parent.mkdir(parents=True, exist_ok=True)
        write_pages(tmp_path / "mirror" / path, pages_of(2 + number, f"site{number}.example"), first=10 * number)
        client.upload_file(str(tmp_path / "mirror" / path), "commoncrawl", path, ExtraArgs={"ACL": "public-read"})

    def crawl(run: str, *arguments: object, expected: int = 0) -> pl.DataFrame:
        assert run_here("crawl", *arguments, "--run", tmp_path / run, "--quiet") == expected
        return table(tmp_path / run, "crawl", "documents")

    here = crawl("here", "--paths", listed, "--set", f"crawl.remote.base_url={tmp_path / 'mirror'}")
    assert here["file_path"].unique(maintain_order=True).to_list() == paths
    bucket = ["--set", "crawl.remote.base_url=s3://commoncrawl/", "--set", "crawl.remote.retries=0"]
    assert crawl("bucket", "--paths", listed, *bucket).equals(here)
    assert crawl("urls", *(f"s3://commoncrawl/{path}" for path in paths), *bucket).equals(here)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert crawl("anonymous", "--paths", listed, *bucket, "--set", "crawl.remote.anonymous=true").equals(here)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client.delete_object(Bucket="commoncrawl", Key=paths[1])
    capsys.readouterr()
    assert crawl("less", "--paths", listed, *bucket, expected=1).equals(here.filter(pl.col("file_path") != paths[1]))
    assert f"error: crawl: no such file: s3://commoncrawl/{paths[1]}; check the path" in capsys.readouterr().err
    # What was crawled before the object went away stays, and is not fetched again.
    assert crawl("bucket", "--paths", listed, *bucket).equals(here)
    assert "3 of 3 parts reused" in capsys.readouterr().out
