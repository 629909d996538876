"""What became of each link: the closed lists of outcomes and of reasons."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The four ends that a link can come to."""

    FETCHED = "fetched"  # an answer is in a WARC file, whatever its status
    DUPLICATE = "duplicate"  # another link stands for the same address
    REFUSED = "refused"  # not asked for, or not kept: a rule of ours, or a wish of the site
    FAILED = "failed"  # the server gave no answer that could be kept


class FetchReason(StrEnum):
    """Why; ``reason.sentence`` explains it to a reader, ``reason.outcome`` is the outcome that it goes with."""

    sentence: str
    outcome: Outcome

    def __new__(cls, value: str, outcome: Outcome = Outcome.FAILED, sentence: str = "") -> FetchReason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.outcome = outcome
        member.sentence = sentence
        return member

    WHOLE = "whole", Outcome.FETCHED, "The answer is stored as it came."
    SAME_PAYLOAD = "same_payload", Outcome.FETCHED, "The body equals an earlier one, to which a revisit record points."
    CUT_LENGTH = "cut_length", Outcome.FETCHED, "The answer is longer than the limit; its beginning is stored."
    CUT_TIME = "cut_time", Outcome.FETCHED, "The answer took longer than the limit; what had come is stored."
    CUT_DISCONNECT = "cut_disconnect", Outcome.FETCHED, "The server closed the connection early; what had come is stored."
    CUT_UNSPECIFIED = "cut_unspecified", Outcome.FETCHED, "The body broke the rules of HTTP; what had come until then is stored."

    LISTED_TWICE = "listed_twice", Outcome.DUPLICATE, "An earlier link of the list has the same address."
    REDIRECT_TO_KNOWN = "redirect_to_known", Outcome.DUPLICATE, "A redirect leads to an address that is asked for anyway, or was."

    NO_WEB_ADDRESS = "no_web_address", Outcome.REFUSED, "The link, or where it redirects to, is no http or https address."
    ODD_ADDRESS = "odd_address", Outcome.REFUSED, "The host is no plain name or address: programs disagree about where it leads."
    OTHER_PORT = "other_port", Outcome.REFUSED, "The port is neither 80 nor 443."
    ADDRESS_DENIED = "address_denied", Outcome.REFUSED, "The host has no public address: its addresses are private, local or reserved."
    ROBOTS_DISALLOWED = "robots_disallowed", Outcome.REFUSED, "robots.txt disallows the page."
    ROBOTS_UNREACHABLE = "robots_unreachable", Outcome.REFUSED, "robots.txt cannot be had now (5xx, 429), which counts as a ban."
    CRAWL_DELAY_TOO_LONG = "crawl_delay_too_long", Outcome.REFUSED, "robots.txt asks for longer pauses than the recipe waits."
    ROBOTS_HEADER = "robots_header", Outcome.REFUSED, "An X-Robots-Tag header says noindex, none, noai or noimageai; not kept."
    ROBOTS_META = "robots_meta", Outcome.REFUSED, "A robots meta tag says noindex, none, noai or noimageai; not kept."
    TDM_FILE = "tdm_file", Outcome.REFUSED, "The site's tdmrep.json reserves text and data mining for the page."
    TDM_HEADER = "tdm_header", Outcome.REFUSED, "A tdm-reservation header reserves text and data mining; not kept."
    TDM_META = "tdm_meta", Outcome.REFUSED, "A tdm-reservation meta tag reserves text and data mining; not kept."

    NAME_NOT_FOUND = "name_not_found", Outcome.FAILED, "The host's name has no address."
    NOT_CONNECTED = "not_connected", Outcome.FAILED, "No connection to the server could be made."
    INSECURE = "insecure", Outcome.FAILED, "The server's certificate, or its encryption, is not to be trusted."
    TIMED_OUT = "timed_out", Outcome.FAILED, "The server did not answer in time."
    DISCONNECTED = "disconnected", Outcome.FAILED, "The connection broke before the answer's header was complete."
    BAD_ANSWER = "bad_answer", Outcome.FAILED, "What the server sent is no HTTP, or its header is over the limits."
    STILL_BUSY = "still_busy", Outcome.FAILED, "The server still answered 429 or 503 at the last try."
    TOO_MANY_REDIRECTS = "too_many_redirects", Outcome.FAILED, "The redirects do not end within the limit, or at all."
    HOST_GIVEN_UP = "host_given_up", Outcome.FAILED, "Too many requests to the host failed, one after the other."


class FetchProblem(Exception):
    """A link cannot be fetched, or may not. ``passing``: another try may succeed."""

    def __init__(self, reason: FetchReason, detail: str = "", passing: bool = False) -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.passing = passing
