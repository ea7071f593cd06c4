"""Pools of invented names, put together from syllables: nobody real is meant."""

from itertools import product

import pyarrow as pa

_ONSETS = """
Al An Ar Bar Bel Ber Bran Cal Car Cor Dal Dar Del Dor El Er Fal Fen Gar Gor Hal Har Hol Kal Kar Ken Lam Lan
Lor Mar Mel Mor Nor Or Pal Per Quin Ran Ros Sal Sel Tal Tor Ul Val Ver Wal Wen Yar Zel
"""
_MIDDLES = """
a e i o u ad am an ar at ed el em en er il in ir is ol on or os ul um un ur us ba da de di do ga go la li lo
ma mi na ne ni ra ri ro sa se ta te
"""
_ENDINGS = """
bach berg bourne brook burn by cott dale den der don field ford gate ham hurst kin land ler ley lin low man
mer mont more ner ney nor pool quist rell ridge row sey shaw sky son stad stead ston ter ton vale ver vick way
well wick win wood worth yard
"""
_FEMALE_ENDINGS = "a ella elle essa etta ia ina ira isa issa ita lyn na ria y"
_MALE_ENDINGS = "an ard as ic ick ius ld mond o on or ric us win yn"
_COMPANY_ENDINGS = """
adia alo anex ara aro atex avo idia ilo inex ira iro itex ivo odia olo onex ora oro otex ovo
"""
_STREET_ENDINGS = ("Street", "Avenue", "Road", "Lane", "Drive", "Court", "Place", "Way")


def _all_of(*syllables: str) -> list[str]:
    """Every distinct word made of one entry of each blank-separated list, in a fixed order."""
    return list(dict.fromkeys("".join(parts) for parts in product(*map(str.split, syllables))))


SURNAMES = pa.array(_all_of(_ONSETS, _MIDDLES, _ENDINGS))
FEMALE_COUNT = len(_all_of(_ONSETS, _FEMALE_ENDINGS))
FIRST_NAMES = pa.array(_all_of(_ONSETS, _FEMALE_ENDINGS) + _all_of(_ONSETS, _MALE_ENDINGS))
STREETS = pa.array([f"{name} {end}" for name in _all_of(_ONSETS, _ENDINGS) for end in _STREET_ENDINGS])
COMPANIES = tuple(_all_of(_ONSETS, _COMPANY_ENDINGS))
