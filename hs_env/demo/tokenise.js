// Tokenise text, as hs_env/corpora/tokenisation.py does; a test compares the two.

// Those of Python; `\s` has others.
const SPACES = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const SPACE = new RegExp(SPACES, "u");
const TYPOGRAPHY = new Map([
  ["\u2018", "'"],
  ["\u2019", "'"],
  ["\x91", "'"],
  ["\x92", "'"],
  ["\u201c", '"'],
  ["\u201d", '"'],
  ["\x93", '"'],
  ["\x94", '"'],
  ["\u2026", " ... "],
  ["\x85", " ... "],
  ["\x96", "\u2013"],
  ["\x97", "\u2014"],
  ["\u2010", "-"],
  ["\u2011", "-"],
]);
const TYPOGRAPHIC = /[\u2018\u2019\x91\x92\u201c\u201d\x93\x94\u2026\x85\x96\x97\u2010\u2011]/gu;
const IGNORED = /[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;
const JOINS = "\\u0600-\\u1dff\\u2190-\\u2bff\\ufe0f\\u{10000}-\\u{3ffff}"; // scripts and emoji that need joiners
const JOINER = new RegExp(`(?<![${JOINS}])[\\u200c\\u200d]|[\\u200c\\u200d](?![${JOINS}])`, "gu");
const SURROGATE = /[\ud800-\udfff]/gu;
const ALNUM = "\\p{L}\\p{N}_";
const MARKED = `${ALNUM}\\p{M}`;
const NEGATED = "ai|are|ca|could|dare|did|do|does|had|has|have|is|might|must|need|ought|sha|should|was|were|wo|would";
const NEGATION = new RegExp(`(?<![${ALNUM}])(n|(?:${NEGATED})n)${SPACES}'t(?![${MARKED}])`, "gu");
const BRACKETS = { "-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}" };
const WORD = `(?:\\p{Nd}+(?:[.,:/]\\p{Nd}+)+[${MARKED}]*|[${ALNUM}][${MARKED}]*(?:[\\u200c\\u200d]+[${MARKED}]+)*)`;
const SIGN = "(?:.[\\p{M}\\u{1f3fb}-\\u{1f3ff}]*)";
const LETTER = "[\\p{L}\\p{Nl}\\p{No}]";
const TOKEN = new RegExp(
  [
    `(?<bracket>-(?:lrb|rrb|lsb|rsb|lcb|rcb)-(?![${MARKED}]))`,
    "(?<dots>\\.{2,})",
    "(?<dashes>-{2,})",
    "(?<quote>``|'')",
    `'(?:s|m|d|ll|re|ve|em|til|\\p{Nd}0s)(?![${MARKED}])`, // clitics and clipped words, already separate
    `${LETTER}(?:\\.${LETTER})+\\.?(?![${MARKED}])`, // u.s. and j.r.r.
    `(?<word>${WORD}(?:[-'&\\u00b7\\u05f3\\u05f4]${WORD})*)`,
    "[\\u{1f1e6}-\\u{1f1ff}]{2}", // flags
    `${SIGN}(?:\\u200d${SIGN})*`, // with its marks and skin tones, such as a joined emoji
  ].join("|"),
  "gsu",
);
const CLITICS = ["n't", "'s", "'m", "'d", "'ll", "'re", "'ve"];
const JOINING_SIGNS = "-'&\u00b7\u05f3\u05f4";

const UNITS = {
  characters: (text) => [...text],
  bytes: (text) => Array.from(new TextEncoder().encode(text), byteName),
};

function byteName(byte) {
  return byte < 0x80 ? String.fromCharCode(byte) : `<0x${byte.toString(16).toUpperCase()}>`;
}

function tokenise(text, name) {
  const [, words, unit] = name.match(/^(.+)_(characters|bytes)$/) ?? [];
  if (unit) return UNITS[unit](tokenise(text, words).join(" "));
  if (name === "split") return text.split(SPACE).filter(Boolean);
  return normal(text).split(SPACE).filter(Boolean).flatMap(tokensOfPiece);
}

function normal(text) {
  let plain = text.replace(TYPOGRAPHIC, (sign) => TYPOGRAPHY.get(sign)).toLowerCase();
  plain = plain.replace(SURROGATE, "\ufffd").replace(IGNORED, "").replace(JOINER, "").normalize("NFC");
  return plain.replace(NEGATION, "$1't");
}

function tokensOfPiece(piece) {
  const tokens = [];
  for (const { 0: token, groups } of piece.replace(/\\+([/*])/gu, "$1").matchAll(TOKEN)) {
    if (groups.bracket) tokens.push(BRACKETS[token]);
    else if (groups.word) tokens.push(...separateClitics(token));
    else if (groups.dots) tokens.push("...");
    else if (groups.dashes) tokens.push("--");
    else if (groups.quote) tokens.push('"');
    else tokens.push(token.replace(/^[\u200c\u200d]+|[\u200c\u200d]+$/gu, ""));
  }
  return tokens.filter(Boolean);
}

// Separate all clitics at the end of a word, and the signs that then are at its end.
function separateClitics(word) {
  const parts = [];
  let rest = word;
  for (;;) {
    const clitic = CLITICS.find((each) => rest.endsWith(each));
    if (clitic && clitic.length < rest.length) {
      parts.unshift(clitic);
      rest = rest.slice(0, -clitic.length);
    } else if (parts.length && rest && JOINING_SIGNS.includes(rest.at(-1))) {
      parts.unshift(rest.at(-1));
      rest = rest.slice(0, -1);
    } else {
      return [rest, ...parts];
    }
  }
}
