"""The section ``fetch`` of the recipe: how pages are asked for from the web's own servers."""

from __future__ import annotations

from pydantic import Field

from curation.section import Section

MIB = 1 << 20


class RespectSettings(Section):
    """Wishes of sites that a page be left alone; all are respected unless switched off here."""

    robots: bool = Field(True, description="robots.txt (RFC 9309), its crawl delay included")
    robots_tags: bool = Field(True, description="X-Robots-Tag headers and robots meta tags that say noindex, none, noai or noimageai")
    tdm_reservation: bool = Field(
        True, description="reserved text and data mining (W3C TDMRep): header, meta tag and /.well-known/tdmrep.json"
    )


class FetchSettings(Section):
    """Fetch linked pages, politely, into WARC files."""

    contact: str | None = Field(
        None,
        pattern=r"^(https?://[!-~]+|[!-~]+@[!-~]+)$",
        description="page or mail address of whoever crawls; it stands in the User-Agent. Required",
    )
    robot: str = Field(
        "CrawlToGPT", pattern=r"^[A-Za-z_-]+$", description="name in the User-Agent and in robots.txt (RFC 9309, 2.2.1: letters, _ and -)"
    )
    connections: int = Field(128, ge=1, le=4096, description="requests under way at the same time, over all hosts; one a host")
    hosts: int = Field(1000, ge=1, le=100_000, description="hosts visited at the same time; most of them only wait for their next turn")
    delay_seconds: float = Field(1.0, ge=0, description="least pause between a request's end and the next one to the same host, seconds")
    max_crawl_delay_seconds: float = Field(60.0, ge=0, description="hosts whose robots.txt asks for longer pauses are not crawled, seconds")
    timeout_seconds: float = Field(60.0, gt=0, description="longest time of one request, from the name's look-up to the last byte, seconds")
    max_bytes: int = Field(10 * MIB, ge=1024, description="longest answer, header and coded body as received, bytes; the rest is cut off")
    max_redirects: int = Field(5, ge=0, le=20, description="redirects followed from one link")
    retries: int = Field(2, ge=0, le=20, description="further tries after a failed connection, or an answer of 429 or 503")
    retry_seconds: float = Field(5.0, gt=0, description="pause before the first of these, where the server names none; it doubles, seconds")
    max_retry_after_seconds: float = Field(600.0, gt=0, description="longest such pause, whatever the server's Retry-After says, seconds")
    max_host_failures: int = Field(10, ge=1, description="failures in a row after which the other links of a host are given up")
    file_bytes: int = Field(1024 * MIB, ge=1024, description="size after which a WARC file is closed and the next begun, bytes")
    allow_private_hosts: bool = Field(
        False, description="also ask loopback and private addresses, on any port: for your own tests and servers only"
    )
    respect: RespectSettings = Field(RespectSettings(), description="wishes of sites that are respected")
