"""Sentences that the page must read as Python does."""
# ruff: noqa: RUF001

from __future__ import annotations

NASTY = (
    "",
    "  \t\n ",
    "good",
    "smartphonia zxqv",
    "a 👍🏽 film 👩‍👩‍👧 🇫🇷🇩🇪 ❤️",
    "the movie is not very good " * 30,
    "x" * 3000,
    "<b>bold</b> <script>alert(1)</script> </script> <!-- & &amp; &#39;",
    "\"quotes\" 'single' “curly” ‘curly’ ``latex'' don’t",
    "cafe\u0301 nai\u0308ve Z\u0351\u036b\u0343algo",
    "It's don't do n't do n 't can't won't shouldn't've o'brien rock 'n' roll 'tis the '90s",
    "-LRB- brackets -RRB- and 1\\/2 \\* stars U.S. J.R.R. a.b.c. ... .. -- --- 1,000.5 9/11 10:30",
    "under_score a&b well-known -dash- 'quoted' it 's",
    "soft\u00adhyphen zero\u200bwidth joiner\u200dhere \ufeffbom \u202eright",
    "МОСКВА straße İstanbul ΣΊΣΥΦΟΣ 日本語 한국어 हिन्दी العربية עברית ni\u200c\u200dn",
    "<pad> <unk> PAD",
    "½ ² Ⅷ ٣٫٥ 𝟘𝟙 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "${7*7} {{7*7}} $x %s \\n \\u0041",
    "a\x00b\x1fc\x85d\u2028e\u3000f",
    "\ud800 half a pair \udfff",
    "NOT NO N'T n't can n't ain 't hadn 't xdon 't",
    "s 's 'S ''' '' ' `` ` \" , ; : ! ? ¿ ¡ – — ‐ ‑ …",
)
