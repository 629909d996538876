"""What the rules ask of a character, as one table of flags over all code points.

Words are split as spaCy's English tokenizer does (its ``lang/punctuation.py`` and
``lang/char_classes.py``), since the published reference filters count such words; where spaCy
lists ranges of letters, this table takes Unicode's categories.

Compiled code holds the flags' numbers and is cached by its own file's age: a new flag takes a new
bit, and a flag that changes its bit would be misread until those files change.
"""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
import numpy.typing as npt

from curation.scripts import SPACELESS_SCRIPTS

CODE_POINTS = 0x110000
ASSIGNED_BELOW = 0x33480  # above stand variation selectors, tags and private use, none of which any flag is about

SPACE = 1 << 0  # str.isspace
LINE_BREAK = 1 << 1  # str.splitlines
DIGIT = 1 << 2  # any script's decimal digits
ASCII_DIGIT = 1 << 3
ASCII_LETTER = 1 << 4
ALPHABETIC = 1 << 5  # str.isalpha
UPPER_CASE = 1 << 6  # str.isupper
LETTER = 1 << 7  # of the tokenizer
LETTER_NOT_UPPER = 1 << 8
LETTER_NOT_LOWER = 1 << 9
QUOTE = 1 << 10
OPENING = 1 << 11  # is split off the front of a chunk
CLOSING = 1 << 12  # is split off the end of a chunk
PICTURE = 1 << 13  # symbols and emoji, each a word
HYPHEN = 1 << 14
BEFORE_FULL_STOP = 1 << 15  # a full stop at the end of a chunk is a word of its own after one of these
CURRENCY = 1 << 16
HOST = 1 << 17  # first and last character of a label of a host name
PUNCTUATION = 1 << 18  # category P
SYMBOL = 1 << 19  # a word of nothing but these does not count as a word
SENTENCE_END = 1 << 20  # spaCy's sentencizer
TERMINAL = 1 << 21  # FineWeb's line ends
SPACELESS = 1 << 22  # letter of a script that puts no spaces between words
MARK = 1 << 23  # category M

LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
PUNCTUATION_MARKS = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
CURRENCIES = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
OPENING_ONLY = "§%="  # + and ellipses have rules of their own
DASHES = "—–"
HYPHENS = "-–—~"
COMBINING_DIACRITICS = range(0x300, 0x370)  # no letters to the tokenizer
# Line-final marks of FineWeb's filter and, without the second row, of spaCy's sentencizer: Unicode's Sentence_Terminal.
SENTENCE_ENDS = (
    "!.?։؟۔܀܁܂߹।॥၊။።፧፨᙮᜵᜶᠃᠉᥄᥅᪨᪩᪪᪫᭚᭛᭞᭟᰻᰼᱾᱿‼‽⁇⁈⁉⸮⸼。꓿꘎꘏꛳꛷꡶꡷꣎꣏꤯꧈꧉꩝꩞꩟꫰꫱꯫﹒﹖﹗！．？｡"
    "𐩖𐩗𑁇𑁈𑂾𑂿𑃀𑃁𑅁𑅂𑅃𑇅𑇆𑇍𑇞𑇟𑈸𑈹𑈻𑈼𑊩𑑋𑑌𑗂𑗃𑗉𑗊𑗋𑗌𑗍𑗎𑗏𑗐𑗑𑗒𑗓𑗔𑗕𑗖𑗗𑙁𑙂𑜼𑜽𑜾𑩂𑩃𑪛𑪜𑱁𑱂𖩮𖩯𖫵𖬷𖬸𖭄𛲟𝪈"
)
FURTHER_TERMINALS = (
    "\u061d\u061e\u0837\u0839\u083d\u083e\u17d4\u17d5\u17d6\u17d9\u17da\u1b7d\u1b7e\u2e53\u2e54"
    "\U00010f55\U00010f56\U00010f57\U00010f58\U00010f59\U00010f86\U00010f87\U00010f88\U00010f89"
    "\U00011944\U00011946\U00011ef7\U00011ef8\U00011f43\U00011f44\U00016e98"
)
# Gopher's "symbols" in the reference implementation: this, control characters, and the terminals.
SYMBOLS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"


@functools.cache
def character_flags() -> npt.NDArray[np.uint32]:
    """uint32 for each code point: the flags above."""
    flags = np.zeros(CODE_POINTS, np.uint32)
    for code in range(ASSIGNED_BELOW):
        character = chr(code)
        flags[code] = _flags_of_category(character, unicodedata.category(character))
    _mark(flags, LINE_BREAK, LINE_BREAKS)
    _mark(flags, ASCII_DIGIT | HOST, "0123456789")
    _mark(flags, ASCII_LETTER | HOST, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    _mark(flags, QUOTE | OPENING | CLOSING | BEFORE_FULL_STOP, QUOTES)
    _mark(flags, OPENING | CLOSING | BEFORE_FULL_STOP, PUNCTUATION_MARKS)
    _mark(flags, OPENING, OPENING_ONLY)
    _mark(flags, OPENING | CLOSING, DASHES)
    _mark(flags, OPENING | CURRENCY, CURRENCIES)
    _mark(flags, BEFORE_FULL_STOP, "0123456789%²-+|")
    _mark(flags, HYPHEN, HYPHENS)
    _mark(flags, SENTENCE_END | TERMINAL, SENTENCE_ENDS)
    _mark(flags, TERMINAL, FURTHER_TERMINALS)
    _mark(flags, SYMBOL, SYMBOLS + SENTENCE_ENDS + FURTHER_TERMINALS)
    flags[0x00:0x20] |= SYMBOL
    flags[0x0A] &= ~np.uint32(SYMBOL)  # the newline, which no word holds
    flags[0x7F:0xA0] |= SYMBOL
    flags[0xA1:0x10000] |= HOST
    flags[LETTER_NOT_UPPER & flags > 0] |= BEFORE_FULL_STOP
    for first, last in SPACELESS_SCRIPTS:
        block = flags[first : last + 1]
        block[block & ALPHABETIC > 0] |= SPACELESS
    return flags


def _flags_of_category(character: str, category: str) -> int:
    found = 0
    if character.isspace():
        found |= SPACE
    if category == "Nd":
        found |= DIGIT
    if category[0] == "P":
        found |= PUNCTUATION
    if category == "So":
        found |= PICTURE | OPENING | CLOSING
    if category[0] == "M":
        found |= MARK
    if category[0] == "L":
        found |= ALPHABETIC
    if character.isupper():
        found |= UPPER_CASE
    if category[0] == "L" or (category[0] == "M" and ord(character) not in COMBINING_DIACRITICS):
        found |= LETTER
        found |= LETTER_NOT_UPPER if category != "Lu" else 0
        found |= LETTER_NOT_LOWER if category != "Ll" else 0
    return found


def _mark(flags: npt.NDArray[np.uint32], flag: int, characters: str) -> None:
    flags[[ord(character) for character in characters]] |= flag
