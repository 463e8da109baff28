#include "text/splitpat.h"

#include <string.h>

#include "base/utf8.h"
#include "text/uniprop.h"

/* ---- the spellings ---------------------------------------------------------------------- */

#define CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define ONE_OTHER "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"

/* The most usual spelling of each pattern comes first. */
static const struct {
    enum tsl_splitpat pat;
    const char *regex;
} spellings[] = {
    { TSL_SPLITPAT_GPT2,
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
      "\\s+(?!\\S)|\\s+" },
    { TSL_SPLITPAT_GPT2, "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
                         "\\s+(?!\\S)|\\s+" },
    { TSL_SPLITPAT_GPT2,
      "'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|"
      "\\s++$|\\s+(?!\\S)|\\s" },
    { TSL_SPLITPAT_CL100K, CONTRACTION "|" ONE_OTHER "\\p{L}+|\\p{N}{1,3}|"
                                       " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES },
    { TSL_SPLITPAT_CL100K,
      "'(?i:[sdmt]|ll|ve|re)|" ONE_OTHER "+\\p{L}+|\\p{N}{1,3}|"
      " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+" },
    { TSL_SPLITPAT_CL100K_ONIG,
      "'(?i:[sdmt]|ll|ve|re)|" ONE_OTHER "+\\p{L}++|\\p{N}{1,3}+|"
      " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|"
      "\\s+(?!\\S)|\\s" },
    { TSL_SPLITPAT_QWEN2, CONTRACTION "|" ONE_OTHER "\\p{L}+|\\p{N}|"
                                      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES },
    { TSL_SPLITPAT_O200K, ONE_OTHER UPPER "*" LOWER "+" CONTRACTION "?|" ONE_OTHER UPPER
                                          "+" LOWER "*" CONTRACTION "?|\\p{N}{1,3}|"
                                          " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES },
    { TSL_SPLITPAT_TEKKEN,
      ONE_OTHER UPPER "*" LOWER "+|" ONE_OTHER UPPER "+" LOWER
                      "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES },
    { TSL_SPLITPAT_DEEPSEEK,
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
      "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES },
    { TSL_SPLITPAT_DIGITS3, "\\p{N}{1,3}" },
    { TSL_SPLITPAT_CJK, "[一-龥぀-ゟ゠-ヿ]+" },
};

enum { NSPELLINGS = sizeof spellings / sizeof *spellings };

enum tsl_splitpat tsl_splitpat_find(struct tsl_slice regex)
{
    for (size_t i = 0; i < NSPELLINGS; i++)
        if (strlen(spellings[i].regex) == regex.len &&
            memcmp(spellings[i].regex, regex.data, regex.len) == 0)
            return spellings[i].pat;
    return TSL_SPLITPAT_UNKNOWN;
}

const char *tsl_splitpat_regex(enum tsl_splitpat pat)
{
    if (pat == TSL_SPLITPAT_CL100K_T)
        pat = TSL_SPLITPAT_CL100K_ONIG; /* the same text, read by another */
    for (size_t i = 0; i < NSPELLINGS; i++)
        if (spellings[i].pat == pat)
            return spellings[i].regex;
    return "";
}

/* ---- characters ------------------------------------------------------------------------- */

/* More classes, above those of uniprop.h. */
enum {
    CRLF = 1 << 28,  /* \r and \n */
    SLASH = 1 << 29, /* o200k's [\r\n/] */
    INSIDE = 1 << 30 /* a character, not the end of the text */
};

/* The classes of the character at p < end, its bytes in *n; 0 and 0 at the end. */
static uint32_t class_at(const uint8_t *p, const uint8_t *end, size_t *n)
{
    uint32_t cp, class;
    *n = 0;
    if (p >= end)
        return 0;
    *n = tsl_utf8_decode(p, end, &cp);
    class = tsl_uniprop(cp) | INSIDE;
    if (cp == '\r' || cp == '\n')
        class |= CRLF;
    if (cp == '/')
        class |= SLASH;
    return class;
}

/* Is a character of class in the set "has one of want and none of shun"?  INSIDE as want
 * is "anything but". */
struct set {
    uint32_t want, shun;
};

static const struct set letter = { TSL_UNI_L, 0 };
static const struct set number = { TSL_UNI_N, 0 };
static const struct set space = { TSL_UNI_SPACE, 0 };
static const struct set crlf = { CRLF, 0 };
static const struct set crlf_slash = { CRLF | SLASH, 0 };
static const struct set other = { INSIDE, TSL_UNI_SPACE | TSL_UNI_L | TSL_UNI_N };
static const struct set upper = { TSL_UNI_UPPER, 0 };
static const struct set lower = { TSL_UNI_LOWER, 0 };
static const struct set letter_mark = { TSL_UNI_L | TSL_UNI_M, 0 };
static const struct set punct_symbol = { TSL_UNI_P | TSL_UNI_S, 0 };

static bool has(struct set s, uint32_t class)
{
    return (class & s.want) != 0 && (class & s.shun) == 0;
}

/* The end of the run of at most max characters of s from p. */
static const uint8_t *run_of(struct set s, const uint8_t *p, const uint8_t *end,
                             size_t max)
{
    size_t n;
    for (; max > 0 && has(s, class_at(p, end, &n)); max--)
        p += n;
    return p;
}

/* ---- parts of patterns: the end of the match from p, or NULL ---------------------------- */

/* '(?:[sdmt]|ll|ve|re), with fold for either case; U+017F is an s then. */
static const uint8_t *contraction(const uint8_t *p, const uint8_t *end, bool fold)
{
    uint8_t a, b, bit = fold ? 0x20 : 0;
    if (end - p < 2 || p[0] != '\'')
        return NULL;
    a = p[1] | bit;
    if (a == 's' || a == 'd' || a == 'm' || a == 't')
        return p + 2;
    if (end - p < 3)
        return NULL;
    b = p[2] | bit;
    if ((a == 'l' && b == 'l') || (a == 'v' && b == 'e') || (a == 'r' && b == 'e'))
        return p + 3;
    if (fold && p[1] == 0xc5 && p[2] == 0xbf)
        return p + 3;
    return NULL;
}

/* ` ?X+` */
static const uint8_t *space_run(struct set s, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *from = p < end && *p == ' ' ? p + 1 : p;
    const uint8_t *to = run_of(s, from, end, SIZE_MAX);
    return to > from ? to : NULL;
}

/* `\s+(?!\S)|\s+`: a run of white space; if something follows it, without its last
 * character, unless that is all. */
static const uint8_t *spaces(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *last = p, *to = p;
    size_t n;
    while (has(space, class_at(to, end, &n))) {
        last = to;
        to += n;
    }
    if (to == p)
        return NULL;
    return to == end || last == p ? to : last;
}

/* `\s*[\r\n]+`: the run of white space up to and with its last line end. */
static const uint8_t *spaces_lines(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *found = NULL;
    uint32_t class;
    size_t n;
    for (; has(space, class = class_at(p, end, &n)); p += n)
        if (class & CRLF)
            found = p + n;
    return found;
}

/* `[^\r\n\p{L}\p{N}]?`, where it can be taken: behind it, what is meant to follow is no
 * member of it, so giving it back never helps. */
static const uint8_t *one_other(const uint8_t *p, const uint8_t *end)
{
    static const struct set lead = { INSIDE, CRLF | TSL_UNI_L | TSL_UNI_N };
    return run_of(lead, p, end, 1);
}

/* ---- the patterns ----------------------------------------------------------------------- */

static const uint8_t *gpt2(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *to = contraction(p, end, false);
    if (!to)
        to = space_run(letter, p, end);
    if (!to)
        to = space_run(number, p, end);
    if (!to)
        to = space_run(other, p, end);
    return to ? to : spaces(p, end);
}

/* What the newer patterns share: numbers, others with line ends behind them, white
 * space. */
static const uint8_t *numbers_others_spaces(const uint8_t *p, const uint8_t *end,
                                            size_t digits, struct set behind)
{
    const uint8_t *to = run_of(number, p, end, digits);
    if (to > p)
        return to;
    to = space_run(other, p, end);
    if (to)
        return run_of(behind, to, end, SIZE_MAX);
    to = spaces_lines(p, end);
    return to ? to : spaces(p, end);
}

static const uint8_t *cl100k(const uint8_t *p, const uint8_t *end, size_t digits)
{
    const uint8_t *to = contraction(p, end, true);
    if (to)
        return to;
    const uint8_t *from = one_other(p, end);
    to = run_of(letter, from, end, SIZE_MAX);
    if (to > from)
        return to;
    return numbers_others_spaces(p, end, digits, crlf);
}

/* `\s++$` stands before the other rules for white space: nothing else begins with white
 * space that goes on to the end. */
static const uint8_t *cl100k_t(const uint8_t *p, const uint8_t *end, size_t digits)
{
    const uint8_t *to = run_of(space, p, end, SIZE_MAX);
    return to > p && to == end ? to : cl100k(p, end, digits);
}

/* `UPPER*LOWER+` */
static const uint8_t *upper_lower(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *both = NULL; /* behind the last that is in either set */
    uint32_t class;
    size_t n;
    while (has(upper, class = class_at(p, end, &n))) {
        p += n;
        if (has(lower, class))
            both = p;
    }
    const uint8_t *to = run_of(lower, p, end, SIZE_MAX);
    /* UPPER* gives back as little as it must: up to the last that LOWER+ takes. */
    return to > p ? to : both;
}

static const uint8_t *o200k(const uint8_t *p, const uint8_t *end, size_t digits,
                            bool contract)
{
    /* A mark is in `[^\r\n\p{L}\p{N}]` as well as in UPPER and LOWER: it is taken as the
     * lead first, and given back if no word of this kind follows. */
    const uint8_t *lead = one_other(p, end);
    const uint8_t *to = upper_lower(lead, end);
    if (!to && lead > p)
        to = upper_lower(p, end);
    if (!to) {
        /* `UPPER+LOWER*`; nothing is left for LOWER*, and giving a lead back would not
         * help: only a mark is in UPPER, and then the first kind has matched. */
        const uint8_t *all_upper = run_of(upper, lead, end, SIZE_MAX);
        to = all_upper > lead ? all_upper : NULL;
    }
    if (to) {
        const uint8_t *more = contract ? contraction(to, end, true) : NULL;
        return more ? more : to;
    }
    return numbers_others_spaces(p, end, digits, crlf_slash);
}

static bool ascii_letter(const uint8_t *p, const uint8_t *end)
{
    return p < end && (*p | 0x20) >= 'a' && (*p | 0x20) <= 'z';
}

static bool ascii_punct(uint8_t c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

static const uint8_t *deepseek(const uint8_t *p, const uint8_t *end)
{
    static const struct set lead = { INSIDE, CRLF | TSL_UNI_L | TSL_UNI_P | TSL_UNI_S };
    if (ascii_punct(*p) && ascii_letter(p + 1, end)) {
        for (p++; ascii_letter(p, end);)
            p++;
        return p;
    }
    const uint8_t *from = run_of(lead, p, end, 1);
    const uint8_t *to = run_of(letter_mark, from, end, SIZE_MAX);
    if (to > from)
        return to;
    to = run_of(letter_mark, p, end, SIZE_MAX); /* a lone mark was taken for the lead */
    if (to > p)
        return to;
    to = space_run(punct_symbol, p, end);
    if (to)
        return run_of(crlf, to, end, SIZE_MAX);
    to = spaces_lines(p, end);
    return to ? to : spaces(p, end);
}

static const uint8_t *cjk(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *to = p;
    while (to < end) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(to, end, &cp);
        if (!((cp >= 0x4e00 && cp <= 0x9fa5) || (cp >= 0x3040 && cp <= 0x30ff)))
            break;
        to += n;
    }
    return to > p ? to : NULL;
}

static const uint8_t *match_at(enum tsl_splitpat pat, const uint8_t *p,
                               const uint8_t *end)
{
    const uint8_t *to;
    switch (pat) {
    case TSL_SPLITPAT_GPT2: return gpt2(p, end);
    case TSL_SPLITPAT_CL100K: return cl100k(p, end, 3);
    case TSL_SPLITPAT_CL100K_T: return cl100k_t(p, end, 3);
    case TSL_SPLITPAT_CL100K_ONIG: return cl100k_t(p, end, SIZE_MAX);
    case TSL_SPLITPAT_QWEN2: return cl100k(p, end, 1);
    case TSL_SPLITPAT_O200K: return o200k(p, end, 3, true);
    case TSL_SPLITPAT_TEKKEN: return o200k(p, end, 1, false);
    case TSL_SPLITPAT_DEEPSEEK: return deepseek(p, end);
    case TSL_SPLITPAT_DIGITS3: to = run_of(number, p, end, 3); return to > p ? to : NULL;
    case TSL_SPLITPAT_CJK: return cjk(p, end);
    case TSL_SPLITPAT_UNKNOWN: break;
    }
    return NULL;
}

size_t tsl_splitpat_next(enum tsl_splitpat pat, const uint8_t *p, size_t len,
                         bool *matched)
{
    const uint8_t *end = p + len, *to = match_at(pat, p, end);
    *matched = to != NULL;
    for (const uint8_t *from = p; !to;) {
        uint32_t cp;
        from += tsl_utf8_decode(from, end, &cp);
        if (from == end || match_at(pat, from, end))
            to = from;
    }
    return (size_t)(to - p);
}
