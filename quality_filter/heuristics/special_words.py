"""English contractions, abbreviations and emoticons that are not split by rule: spaCy's special cases, as a hash table.

"don't" is "do" and "n't", "cannot" is "can" and "not", "Dr." and ":-)" are one word.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from quality_filter.heuristics.words import BITS_OF_A_LENGTH, SPECIAL_PLACES, hash_characters

# Each row: first words, as written and capitalised, then the endings that follow them. ' stands for ' and for ’, (') also for nothing.
CONTRACTIONS = (
    ("ai are ca could dare did do does had has have is may might must need ought sha should was were wo would", ("n(')t",)),
    ("ca could did do does had may might must need ought sha should wo would", ("n(')t (')ve",)),
    ("could how i might must not should there these they those we what when where who why would you", ("(')ve",)),
    ("he how i it she that there these they this those we what when where who why you", ("'d", "'ll", "(')d (')ve", "(')ll (')ve")),
    ("he how i it that there these they this those we what when where who why you", ("d",)),
    ("how it that there these they this those what when where who why you", ("ll",)),
    ("he how it let she that there this what when where who why", ("'s",)),
    ("he how she that there this what when where who why", ("s",)),
    ("how there these they those we what when where who why you", ("'re",)),
    ("how there these they those what when where why you", ("re",)),
    ("i", ("(')m", "(')m a")),
    ("can", ("not",)),
    ("gon", ("na",)),
    ("got", ("ta",)),
    ("c'm", ("on",)),
    ("how", ("'d 'y",)),
    ("y(')", ("all",)),
)
HOURS = range(1, 13)
HALF_DAYS = ("a.m.", "am", "p.m.", "pm")
TEMPERATURES = "cfkCFK"
ABBREVIATIONS = (
    "a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü. "
    "Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. Mar. "
    "Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. "
    "a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. "
    "Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. C++ and/or w/o ‘S ‘s"
)
WITH_APOSTROPHE = (
    "' '' 'S 's 're 'd 'll 'em 'nuff 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock O'clock lovin' Lovin' havin' "
    "Havin' doin' Doin' goin' Goin' nothin' Nothin' nuthin' Nuthin' ol' Ol' somethin' Somethin' :') :'-) :'( :'-("
)
EMOTICONS = r"""
\") \t \n <space> — :) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :((
:-(( :((( :-((( ): )-: =( >:( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :* :-* :3 :-3 =3 :>
:-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o
o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>
"""


@functools.cache
def special_words() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Open-addressing table: hashes (0: free), and the lengths of the words of each, the first lowest, ``BITS_OF_A_LENGTH`` each."""
    hashes, lengths = np.zeros(SPECIAL_PLACES, np.uint64), np.zeros(SPECIAL_PLACES, np.uint64)
    for words in list_special_words():
        codes = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
        key = hash_characters(codes, 0, len(codes))
        place = int(key) & (SPECIAL_PLACES - 1)
        while hashes[place] not in (0, key):
            place = (place + 1) % SPECIAL_PLACES
        hashes[place] = key
        lengths[place] = sum(len(word) << BITS_OF_A_LENGTH * number for number, word in enumerate(words))
    return hashes, lengths


def list_special_words() -> Iterator[tuple[str, ...]]:
    """Every special chunk, as the words that it is made of."""
    for word in [*ABBREVIATIONS.split(), *EMOTICONS.split()]:
        yield (word,)
    for word in WITH_APOSTROPHE.split():
        yield from ((spelling,) for spelling in _apostrophes(word))
    for hour in HOURS:
        yield from ((str(hour), half) for half in HALF_DAYS)
    yield from (("°", unit, ".") for unit in TEMPERATURES)
    for heads, endings in CONTRACTIONS:
        for ending in endings:
            for head in heads.split():
                yield from (tuple(spelling.split(" ")) for spelling in _apostrophes(f"{head} {ending}"))
                yield from (tuple(spelling.split(" ")) for spelling in _apostrophes(f"{head.capitalize()} {ending}"))


def _apostrophes(pattern: str) -> list[str]:
    """The pattern with straight, with curly and, where all stand in brackets, without apostrophes."""
    plain = pattern.replace("(')", "'")
    bare = [pattern.replace("(')", "")] if "(')" in pattern else []
    return [plain, plain.replace("'", "’"), *bare]
