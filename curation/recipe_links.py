"""The recipe's section on links that readers of Reddit shared: which submissions count, and what makes a link worth keeping."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from curation.section import Section

KarmaRule = Literal["any", "sum", "max"]


class LinksSettings(Section):
    """From Reddit's submissions to links (GPT-2, section 2.1). What a value keeps is left out without it."""

    min_karma: int = Field(3, description="lowest karma with which a link counts as shared (GPT-2, section 2.1)")
    karma: KarmaRule = Field(
        "any",
        description="any: one submission must reach min_karma, the others are left out (WebText); sum: the scores of all submissions "
        "of a link are added (OpenWebText2); max: the best score counts, and all submissions are told of",
    )
    self_posts: bool = Field(False, description="keep submissions that are texts on Reddit itself")
    over_18: bool = Field(False, description="keep submissions for adults")
    deleted: bool = Field(False, description="keep submissions that their authors or moderators took back")
    wikipedia: bool = Field(False, description="keep links to Wikipedia and its mirrors")
    blocked_subreddits: list[str] = Field([], description="files with a subreddit a line, such as pics or /r/pics; # begins a comment")
    blocked_domains: list[str] = Field(
        ["openwebtext2"],
        description="lists of domains without prose: openwebtext2, openwebtext, webtext, or files as for crawl.select.deny_lists",
    )
    blocked_extensions: list[str] = Field(
        ["openwebtext2"],
        description="lists of endings of paths of no pages: openwebtext2, openwebtext, or files, an ending a line",
    )
    first_day: str | None = Field(None, description="first day of submission that counts, YYYY-MM-DD, UTC; null: any")
    last_day: str | None = Field(None, description="last day of submission that counts; WebText ends with 2017-12-31; null: any")

    @field_validator("first_day", "last_day", mode="before")
    @classmethod
    def _is_a_day(cls, value: Any) -> Any:
        """YAML reads 2017-12-31 as a date."""
        if value is None:
            return None
        try:
            return value.isoformat() if type(value) is date else date.fromisoformat(str(value)).isoformat()
        except ValueError as error:
            raise PydanticCustomError("no_day", "Input should be a day such as 2017-12-31") from error

    @field_validator("last_day")
    @classmethod
    def _leaves_a_day(cls, last: str | None, others: ValidationInfo) -> str | None:
        first = others.data.get("first_day")
        if first and last and last < first:
            raise PydanticCustomError("no_days", "Input should not be before first_day, {first}", {"first": first})
        return last


class LookupSettings(Section):
    """From links to their captures in Common Crawl."""

    capture: Literal["newest", "oldest", "whole"] = Field(
        "whole",
        description="which capture of a page is taken: newest, oldest, or whole: the newest that was not cut short, if there is one",
    )
