#include "text/splitregex.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "base/quote.h"
#include "text/unitables.h"

enum { PATTERN_BYTES_MAX = 64 << 10 }; /* real ones have up to a few hundred */

struct tsl_splitregex {
    pcre2_code *code;
    struct tsl_quoted name;
};

static void *pcre_alloc(PCRE2_SIZE n, void *ctx)
{
    (void)ctx;
    return tsl_mem_alloc(1, n, "a regular expression", NULL);
}

static void pcre_free(void *p, void *ctx)
{
    (void)ctx;
    tsl_mem_free(p);
}

/* ---- Oniguruma's syntax as PCRE2's ------------------------------------------------------ */

/* Oniguruma's \s: PCRE2 would add U+180E. */
#define SPACE_SET                                                                        \
    "\\t-\\r\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"  \
    "\\x{205f}\\x{3000}"
#define HEX_SET "0-9a-fA-F"

struct text {
    char *p;
    size_t n, cap;
};

struct rewrite {
    const char *p, *end, *start;
    struct text out;
    struct text word; /* the members of \w, once they were asked for */
    const char *name;
    struct tsl_err *err;
};

static int add(const struct rewrite *r, struct text *to, const char *s, size_t n)
{
    int rc =
        tsl_mem_grow(&to->p, &to->cap, to->n + n + 1, 1, "a regular expression", r->err);
    if (rc < 0)
        return rc;
    memcpy(to->p + to->n, s, n);
    to->n += n;
    to->p[to->n] = '\0';
    return 0;
}

static int add_text(const struct rewrite *r, struct text *to, const char *s)
{
    return add(r, to, s, strlen(s));
}

static int add_both(const struct rewrite *r, struct text *to, const char *before,
                    const struct text *t, const char *behind)
{
    int rc = add_text(r, to, before);
    if (rc == 0 && t->n)
        rc = add(r, to, t->p, t->n);
    return rc < 0 ? rc : add_text(r, to, behind);
}

static int refuse(const struct rewrite *r, const char *why)
{
    return tsl_err_set(r->err, TSL_EFORMAT, "regular expression %s: at byte %zu: %s",
                       r->name, (size_t)(r->p - r->start), why);
}

/* ---- properties: PCRE2's Unicode is older than the peer's ---- */

static const struct {
    const char *name, *category;
} long_names[] = { { "Letter", "L" },
                   { "Lowercase_Letter", "Ll" },
                   { "Uppercase_Letter", "Lu" },
                   { "Other_Letter", "Lo" },
                   { "Titlecase_Letter", "Lt" },
                   { "Modifier_Letter", "Lm" },
                   { "Number", "N" },
                   { "Decimal_Number", "Nd" },
                   { "Digit", "Nd" },
                   { "Letter_Number", "Nl" },
                   { "Other_Number", "No" },
                   { "Mark", "M" },
                   { "Combining_Mark", "M" },
                   { "Nonspacing_Mark", "Mn" },
                   { "Spacing_Mark", "Mc" },
                   { "Enclosing_Mark", "Me" },
                   { "Punctuation", "P" },
                   { "Punct", "P" },
                   { "Connector_Punctuation", "Pc" },
                   { "Dash_Punctuation", "Pd" },
                   { "Open_Punctuation", "Ps" },
                   { "Close_Punctuation", "Pe" },
                   { "Initial_Punctuation", "Pi" },
                   { "Final_Punctuation", "Pf" },
                   { "Other_Punctuation", "Po" },
                   { "Symbol", "S" },
                   { "Math_Symbol", "Sm" },
                   { "Currency_Symbol", "Sc" },
                   { "Modifier_Symbol", "Sk" },
                   { "Other_Symbol", "So" },
                   { "Separator", "Z" },
                   { "Space_Separator", "Zs" },
                   { "Line_Separator", "Zl" },
                   { "Paragraph_Separator", "Zp" },
                   { "Control", "Cc" },
                   { "Format", "Cf" },
                   { "Private_Use", "Co" },
                   { "Unassigned", "Cn" },
                   { "Other", "C" } };

/* As names of properties are compared: without case, blanks, - and _. */
static bool same_name(const char *a, size_t n, const char *b)
{
    size_t i = 0;
    for (;; i++, b++) {
        while (i < n && (a[i] == '_' || a[i] == '-' || a[i] == ' '))
            i++;
        while (*b == '_' || *b == '-' || *b == ' ')
            b++;
        if (i == n || !*b)
            return i == n && !*b;
        if (tolower((unsigned char)a[i]) != tolower((unsigned char)*b))
            return false;
    }
}

static pcre2_code *compile_small(const char *pattern)
{
    int code;
    PCRE2_SIZE at;
    return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code,
                         &at, NULL);
}

static size_t encode(uint32_t cp, uint8_t out[4])
{
    size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; cp >>= 6)
        out[i] = (uint8_t)(0x80 | (cp & 0x3f));
    out[0] = (uint8_t)(lead[n] | cp);
    return n;
}

static int add_range(const struct rewrite *r, struct text *to, uint32_t first,
                     uint32_t last)
{
    char range[40];
    snprintf(range, sizeof range, "\\x{%" PRIx32 "}-\\x{%" PRIx32 "}", first, last);
    return add_text(r, to, range);
}

/* Adds those newer than PCRE2's Unicode may be whose category begins with it, or of the
 * script, or (both NULL) that are Emoji. */
static int add_newer(const struct rewrite *r, struct text *to, const char *category,
                     const char *script)
{
    int rc = 0;
    for (const struct tsl_unitab_range *n = tsl_unitab_newer; rc == 0 && n->category; n++)
        if (category ? strncmp(n->category, category, strlen(category)) == 0
            : script ? same_name(script, strlen(script), n->script)
                     : n->emoji)
            rc = add_range(r, to, n->first, n->last);
    return rc;
}

/* Adds what PCRE2 has in a category and the peer has, too: nothing newer, nor U+1171E, a
 * spacing mark since Unicode 15. */
static int add_older(const struct rewrite *r, struct text *to, const char *category)
{
    pcre2_code *code = compile_small(category);
    pcre2_match_data *m = code ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;
    const struct tsl_unitab_range *newer = tsl_unitab_newer;
    int64_t from = -1;
    int rc = m ? 0 : tsl_err_nomem(r->err, 1, "a regular expression");
    for (uint32_t cp = 0; rc == 0 && cp <= 0x110000; cp++) {
        uint8_t c[4];
        if (newer->category && newer->last < cp)
            newer++;
        bool is = cp < 0x110000 && (cp < 0xd800 || cp > 0xdfff) &&
                  pcre2_match(code, c, encode(cp, c), 0,
                              PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED, m, NULL) > 0 &&
                  cp != 0x1171e && !(newer->category && newer->first <= cp);
        if (is && from < 0)
            from = cp;
        if (is || from < 0)
            continue;
        rc = add_range(r, to, (uint32_t)from, cp - 1);
        from = -1;
    }
    pcre2_match_data_free(m);
    pcre2_code_free(code);
    return rc;
}

/* Adds a general category: one letter or two. */
static int add_category(const struct rewrite *r, struct text *to, const char *name)
{
    char ask[16];
    int rc = 0;
    snprintf(ask, sizeof ask, "\\p{%s}", name);
    if (strcmp(name, "C") == 0)
        rc = add_text(r, to, "\\p{Cc}\\p{Cf}\\p{Co}");
    if (rc == 0 && (strcmp(name, "C") == 0 || strcmp(name, "Cn") == 0))
        rc = add_older(r, to, "\\p{Cn}");
    else if (rc == 0 && strcmp(name, "Mn") == 0)
        rc = add_older(r, to, ask);
    else if (rc == 0)
        rc = add_text(r, to, ask);
    if (rc == 0 && strcmp(name, "Mc") == 0)
        rc = add_text(r, to, "\\x{1171e}");
    return rc < 0 ? rc : add_newer(r, to, name, NULL);
}

/* Alphabetic and Lowercase, and what they have had since Unicode 14 besides letters. */
#define ALPHA_SET                                                                        \
    "\\p{Alphabetic}\\x{363}-\\x{36f}\\x{897}\\x{c04}\\x{cf3}\\x{f82}\\x{f83}"           \
    "\\x{1dd3}-\\x{1de6}\\x{10d69}\\x{10efc}\\x{11080}\\x{11081}\\x{11241}"              \
    "\\x{113b8}-\\x{113c0}\\x{113c2}\\x{113c5}\\x{113c7}-\\x{113ca}\\x{113cc}\\x{113cd}" \
    "\\x{11f00}\\x{11f01}\\x{11f03}\\x{11f34}-\\x{11f3a}\\x{11f3e}-\\x{11f40}"           \
    "\\x{1611e}-\\x{1612e}\\x{1e08f}"
#define LOWER_SET                                                                        \
    "\\p{Lowercase}\\x{10fc}\\x{a7f2}-\\x{a7f4}\\x{ab69}\\x{1e030}-\\x{1e06d}"

enum { POSIX_PROPERTIES = 6 };

/* [:name:], and \p{name}; set NULL: \w. */
static const struct {
    const char *name, *set;
    const char *property[POSIX_PROPERTIES];
} posix[] = { { "space", SPACE_SET, { NULL } },
              { "punct", "", { "P", "S" } },
              { "digit", "", { "Nd" } },
              { "xdigit", HEX_SET, { NULL } },
              { "lower", LOWER_SET, { "Ll" } },
              { "upper", "\\p{Uppercase}", { "Lu" } },
              { "alpha", ALPHA_SET, { "L" } },
              { "alnum", ALPHA_SET, { "L", "Nd" } },
              { "blank", "\\t\\p{Zs}", { NULL } },
              { "cntrl", "\\p{Cc}", { NULL } },
              { "ascii", "\\x00-\\x7f", { NULL } },
              { "graph", "\\p{Co}", { "L", "M", "N", "P", "S", "Cf" } },
              { "print", "\\p{Co}\\p{Zs}", { "L", "M", "N", "P", "S", "Cf" } },
              { "word", NULL, { NULL } } };

enum { POSIX_PUNCT = 1 }; /* \p{Punct} is without symbols */

static int add_posix(struct rewrite *r, struct text *to, size_t i);

/* The members of a property, as they stand within [ and ]. */
static int add_property(struct rewrite *r, struct text *to, const char *name, size_t n)
{
    char ask[96];
    if (n > 64)
        return refuse(r, "a property of an unknown name");
    if (same_name(name, n, "Alphabetic"))
        return add_property(r, to, "alpha", 5);
    for (size_t i = 0; i < sizeof posix / sizeof *posix; i++)
        if (i != POSIX_PUNCT && same_name(name, n, posix[i].name))
            return add_posix(r, to, i);
    for (size_t i = 0; i < sizeof long_names / sizeof *long_names; i++)
        if (same_name(name, n, long_names[i].name)) {
            name = long_names[i].category;
            n = strlen(name);
        }
    for (size_t i = 0; i < sizeof long_names / sizeof *long_names; i++)
        if (same_name(name, n, long_names[i].category))
            return add_category(r, to, long_names[i].category);
    /* PCRE2's \p{Greek} asks for extensions, Oniguruma's does not. */
    snprintf(ask, sizeof ask, "\\p{sc:%.*s}", (int)n, name);
    pcre2_code *code = compile_small(ask);
    pcre2_code_free(code);
    if (!code)
        snprintf(ask, sizeof ask, "\\p{%.*s}", (int)n, name);
    int rc = add_text(r, to, ask);
    snprintf(ask, sizeof ask, "%.*s", (int)n, name);
    if (rc == 0)
        rc = add_newer(r, to, NULL, same_name(name, n, "Emoji") ? NULL : ask);
    return rc;
}

/* Oniguruma's \w: letters, marks, decimal digits, connectors; outside of [ ] the numbers of
 * Latin-1, too.  PCRE2 10.42 lacks marks and connectors, and has all of \p{N}. */
static int add_word(struct rewrite *r, struct text *to, bool in_class)
{
    int rc = 0;
    if (!r->word.n) {
        rc = add_property(r, &r->word, "L", 1);
        if (rc == 0)
            rc = add_property(r, &r->word, "M", 1);
        if (rc == 0)
            rc = add_property(r, &r->word, "Nd", 2);
        if (rc == 0)
            rc = add_text(r, &r->word,
                          "\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}"
                          "\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}"
                          "\\x{1f170}-\\x{1f189}");
    }
    if (rc == 0 && !in_class)
        rc = add_text(r, to, "\\xb2\\xb3\\xb9\\xbc-\\xbe");
    return rc < 0 ? rc : add(r, to, r->word.p, r->word.n);
}

static int add_posix(struct rewrite *r, struct text *to, size_t i)
{
    int rc = posix[i].set ? add_text(r, to, posix[i].set) : add_word(r, to, true);
    for (int k = 0; rc == 0 && k < POSIX_PROPERTIES && posix[i].property[k]; k++)
        rc = add_property(r, to, posix[i].property[k], strlen(posix[i].property[k]));
    return rc;
}

/* ---- escapes ---- */

/* "p{Name}" behind the backslash at r->p: its name; *negated: \P or ^. */
static int property_name(struct rewrite *r, const char **name, size_t *n, bool *negated)
{
    const char *p = r->p + 2;
    *negated = r->p[1] == 'P';
    if (p == r->end || *p != '{')
        return refuse(r, "\\p without its {");
    const char *to = memchr(p, '}', (size_t)(r->end - p));
    if (!to)
        return refuse(r, "\\p{ without its }");
    p++;
    if (*p == '^') {
        *negated = !*negated;
        p++;
    }
    *name = p;
    *n = (size_t)(to - p);
    r->p = to + 1;
    return 0;
}

/* An escape that stands for a set: 1, its members and whether it means all others; 0: it is
 * none, and r->p stays. */
static int escape_set(struct rewrite *r, struct text *members, bool in_class,
                      bool *negated)
{
    char c = r->p[1], low = (char)(c | 0x20);
    const char *name = NULL;
    size_t n = 0;
    int rc;
    if (low == 'p') {
        rc = property_name(r, &name, &n, negated);
        if (rc == 0)
            rc = same_name(name, n, "Word") ? add_word(r, members, in_class)
                                            : add_property(r, members, name, n);
        return rc < 0 ? rc : 1;
    }
    if (low != 's' && low != 'w' && low != 'h' && low != 'd')
        return 0;
    *negated = c != low;
    r->p += 2;
    rc = low == 's'   ? add_text(r, members, SPACE_SET)
         : low == 'h' ? add_text(r, members, HEX_SET)
         : low == 'd' ? add_property(r, members, "Nd", 2)
                      : add_word(r, members, in_class);
    return rc < 0 ? rc : 1;
}

/* \b and \B, between our \w and its like. */
static int rewrite_boundary(struct rewrite *r, bool no)
{
    struct text w = { 0 };
    int rc = add_word(r, &w, false);
    if (rc == 0)
        rc = add_both(r, &r->out, "(?:(?<=[", &w, no ? "])(?=[" : "])(?![");
    if (rc == 0)
        rc = add_both(r, &r->out, "", &w, "])|(?<![");
    if (rc == 0)
        rc = add_both(r, &r->out, "", &w, no ? "])(?![" : "])(?=[");
    if (rc == 0)
        rc = add_both(r, &r->out, "", &w, "]))");
    tsl_mem_free(w.p);
    r->p += 2;
    return rc;
}

/* \uHHHH at r->p: 1 where it is one. */
static int rewrite_code(struct rewrite *r, struct text *to)
{
    char code[16];
    if (r->p[1] != 'u' || r->end - r->p < 6)
        return 0;
    for (int i = 2; i < 6; i++)
        if (!isxdigit((unsigned char)r->p[i]))
            return 0;
    snprintf(code, sizeof code, "\\x{%.4s}", r->p + 2);
    r->p += 6;
    int rc = add_text(r, to, code);
    return rc < 0 ? rc : 1;
}

/* Of Unicode 16: what \X looks at, beside categories.  A spacing mark that is none to it; spacing
 * marks that extend; what goes in front of a cluster; controls. */
#define CLUSTER_NO_MARK                                                                  \
    "\\x{102b}\\x{102c}\\x{1038}\\x{1062}-\\x{1064}\\x{1067}-\\x{106d}\\x{1083}"         \
    "\\x{1087}-\\x{108c}\\x{108f}\\x{109a}-\\x{109c}\\x{1a61}\\x{1a63}\\x{1a64}"         \
    "\\x{aa7b}\\x{aa7d}\\x{11720}\\x{11721}"
#define CLUSTER_EXTEND                                                                   \
    "\\x{9be}\\x{9d7}\\x{b3e}\\x{b57}\\x{bbe}\\x{bd7}\\x{cc0}\\x{cc2}\\x{cc7}\\x{cc8}"   \
    "\\x{cca}\\x{ccb}\\x{cd5}\\x{cd6}\\x{d3e}\\x{d57}\\x{dcf}\\x{ddf}\\x{1715}\\x{1734}" \
    "\\x{1b35}\\x{1b3b}\\x{1b3d}\\x{1b43}\\x{1b44}\\x{1baa}\\x{1bf2}\\x{1bf3}"           \
    "\\x{302e}\\x{302f}\\x{a953}\\x{a9c0}\\x{111c0}\\x{11235}\\x{1133e}\\x{1134d}"       \
    "\\x{11357}\\x{113b8}\\x{113c2}\\x{113c5}\\x{113c7}-\\x{113c9}\\x{113cf}\\x{114b0}"  \
    "\\x{114bd}\\x{115af}\\x{116b6}\\x{11930}\\x{1193d}\\x{11f41}\\x{16ff0}\\x{16ff1}"   \
    "\\x{1d165}\\x{1d166}\\x{1d16d}-\\x{1d172}"
#define CLUSTER_PREPEND                                                                  \
    "\\x{600}-\\x{605}\\x{6dd}\\x{70f}\\x{890}\\x{891}\\x{8e2}\\x{d4e}\\x{110bd}"        \
    "\\x{110cd}\\x{111c2}\\x{111c3}\\x{113d1}\\x{1193f}\\x{11941}\\x{11a3a}"             \
    "\\x{11a84}-\\x{11a89}\\x{11d46}\\x{11f02}"
#define CLUSTER_CONTROL                                                                  \
    "\\x00-\\x1f\\x{7f}-\\x{9f}\\x{ad}\\x{61c}\\x{180e}\\x{200b}\\x{200e}\\x{200f}"      \
    "\\x{2028}-\\x{202e}\\x{2060}-\\x{206f}\\x{feff}\\x{fff0}-\\x{fffb}"                 \
    "\\x{13430}-\\x{1343f}\\x{1bca0}-\\x{1bca3}\\x{1d173}-\\x{1d17a}"                    \
    "\\x{e0000}-\\x{e001f}\\x{e0080}-\\x{e00ff}\\x{e01f0}-\\x{e0fff}"

/* \X by Unicode 16 without rule GB9c, as Oniguruma has it.  PCRE2 10.42's is older, and takes
 * pictographs side by side for one cluster; of it is left what begins with Hangul. */
static int rewrite_cluster(struct rewrite *r)
{
    static const char more[] = "\\x{200c}\\x{ff9e}\\x{ff9f}\\x{1f3fb}-\\x{1f3ff}"
                               "\\x{e0020}-\\x{e007f}";
    struct text m = { 0 }, mn = { 0 };
    int rc = add_property(r, &m, "M", 1);
    if (rc == 0)
        rc = add_property(r, &mn, "Mn", 2);
    if (rc == 0)
        rc = add_property(r, &mn, "Me", 2);
    if (rc == 0)
        rc = add_text(
            r, &r->out,
            "(?>\\r\\n|[" CLUSTER_PREPEND "]*(?:[\\x{1f1e6}-\\x{1f1ff}]{2}"
            "|(?=[\\x{1100}-\\x{11ff}\\x{a960}-\\x{a97c}\\x{ac00}-\\x{d7ff}])\\X"
            "|[\\x{16d63}\\x{16d67}-\\x{16d6a}]+|\\p{ExtPict}(?:[" CLUSTER_EXTEND);
    if (rc == 0)
        rc = add_both(r, &r->out, more, &mn,
                      "]*\\x{200d}\\p{ExtPict})*|[^" CLUSTER_CONTROL "])"
                      "(?:(?![" CLUSTER_NO_MARK "])[\\x{200d}\\x{e33}\\x{eb3}");
    if (rc == 0)
        rc = add_both(r, &r->out, more, &m, "])*|(?s:.))");
    tsl_mem_free(m.p);
    tsl_mem_free(mn.p);
    r->p += 2;
    return rc;
}

/* An escape outside of a class. */
static int rewrite_escape(struct rewrite *r)
{
    struct text members = { 0 };
    bool negated = false;
    if (r->end - r->p < 2)
        return refuse(r, "a backslash at the end");
    char c = r->p[1];
    if (c == 'b' || c == 'B')
        return rewrite_boundary(r, c == 'B');
    if (c == 'Q' || c == 'E' || c == 'C' || c == 'K' || c == 'y' || c == 'Y')
        return refuse(r, "an escape that is not supported");
    if (c == 'X')
        return rewrite_cluster(r);
    if (c == 'O') {
        r->p += 2;
        return add_text(r, &r->out, "(?s:.)");
    }
    int rc = rewrite_code(r, &r->out);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = escape_set(r, &members, false, &negated);
    if (rc == 1)
        rc = add_both(r, &r->out, negated ? "[^" : "[", &members, "]");
    else if (rc == 0) {
        rc = add(r, &r->out, r->p, 2);
        r->p += 2;
    }
    tsl_mem_free(members.p);
    return rc < 0 ? rc : 0;
}

/* ---- classes ---- */

/* A class as it is read: members of one [ ], and besides them expressions that take one
 * character each: negated sets, intersections. */
struct class
{
    struct text members, others;
    bool negated;
};

static void class_fini(struct class *c)
{
    tsl_mem_free(c->members.p);
    tsl_mem_free(c->others.p);
}

static int add_other(const struct rewrite *r, struct class *c, const char *before,
                     const struct text *t, const char *behind)
{
    int rc = c->others.n ? add_text(r, &c->others, "|") : 0;
    return rc < 0 ? rc : add_both(r, &c->others, before, t, behind);
}

/* The class as an expression.  A character that two of its parts have is tried once: else
 * what is repeated takes time that doubles with each. */
static int add_class(const struct rewrite *r, struct text *to, const struct class *c)
{
    int rc;
    if (!c->members.n && !c->others.n)
        return refuse(r, "an empty class");
    if (!c->others.n)
        return add_both(r, to, c->negated ? "[^" : "[", &c->members, "]");
    rc = add_text(r, to, c->negated ? "(?:(?!" : "(?>");
    if (rc == 0 && c->members.n)
        rc = add_both(r, to, "[", &c->members, "]|");
    return rc < 0 ? rc : add_both(r, to, "", &c->others, c->negated ? ")(?s:.))" : ")");
}

/* [:space:] and the like, within a class. */
static int class_posix(struct rewrite *r, struct class *c)
{
    const char *p = r->p + 2;
    bool negated = p < r->end && *p == '^';
    p += negated;
    for (size_t i = 0; i < sizeof posix / sizeof *posix; i++) {
        size_t n = strlen(posix[i].name);
        struct text t = { 0 };
        if ((size_t)(r->end - p) < n + 2 || memcmp(p, posix[i].name, n) != 0 ||
            memcmp(p + n, ":]", 2) != 0)
            continue;
        int rc = add_posix(r, &t, i);
        if (rc == 0)
            rc = negated ? add_other(r, c, "[^", &t, "]") : add(r, &c->members, t.p, t.n);
        r->p = p + n + 2;
        tsl_mem_free(t.p);
        return rc;
    }
    return refuse(r, "a [:class:] that is not supported");
}

static int class_escape(struct rewrite *r, struct class *c)
{
    struct text t = { 0 };
    bool negated = false;
    if (r->end - r->p < 2)
        return refuse(r, "a backslash at the end");
    if (strchr("QECKRXO", r->p[1]))
        return refuse(r, "an escape that is not supported within a class");
    int rc = rewrite_code(r, &c->members);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = escape_set(r, &t, true, &negated);
    if (rc == 1) {
        rc = negated ? add_other(r, c, "[^", &t, "]") : add(r, &c->members, t.p, t.n);
    } else if (rc == 0) {
        rc = add(r, &c->members, r->p, 2);
        r->p += 2;
    }
    tsl_mem_free(t.p);
    return rc;
}

static int read_class(struct rewrite *r, struct class *c, unsigned depth);

static int class_in_class(struct rewrite *r, struct class *c, unsigned depth)
{
    struct class inner = { .negated = false };
    struct text t = { 0 };
    if (depth >= 8)
        return refuse(r, "classes within classes, too deep");
    int rc = read_class(r, &inner, depth + 1);
    if (rc == 0 && !inner.negated && !inner.others.n && inner.members.n) {
        rc = add(r, &c->members, inner.members.p, inner.members.n);
    } else if (rc == 0) {
        rc = add_class(r, &t, &inner);
        if (rc == 0)
            rc = add_other(r, c, "", &t, "");
    }
    tsl_mem_free(t.p);
    class_fini(&inner);
    return rc;
}

/* The members before a "-", as far as it asks: one that may begin a range, or the begin of
 * a range and its "-". */
enum before { OTHER, ONE, RANGE };

/* The "-" at r->p: a range, or a member, which must be none where the class becomes a part
 * of another one. */
static int class_hyphen(struct rewrite *r, struct class *c, enum before *before)
{
    ptrdiff_t left = r->end - r->p;
    bool set = left > 2 && r->p[1] == '\\' && strchr("pPsSwWhHdD", r->p[2]);
    bool ends =
        left < 2 || r->p[1] == ']' || (left > 2 && r->p[1] == '&' && r->p[2] == '&');
    bool range = *before == ONE && !ends && !set;
    if (range && r->p[1] == '[')
        return refuse(r, "a range that ends with a class");
    *before = range ? RANGE : *before == RANGE ? OTHER : ONE;
    r->p++;
    return add_text(r, &c->members, range ? "-" : "\\-");
}

/* What stands between "[" or "&&" and the next "&&" or "]"; before: what there is already. */
static int class_part(struct rewrite *r, struct class *c, enum before before,
                      unsigned depth)
{
    int rc = 0;
    while (rc == 0 && r->p < r->end && *r->p != ']') {
        bool two = r->end - r->p > 1;
        enum before after = before == RANGE ? OTHER : ONE;
        if (two && r->p[0] == '&' && r->p[1] == '&')
            break;
        if (*r->p == '-') {
            rc = class_hyphen(r, c, &before);
            continue;
        }
        if (*r->p == '\\') {
            if (two && strchr("pPsSwWhHdD", r->p[1]))
                after = OTHER;
            rc = class_escape(r, c);
        } else if (two && r->p[0] == '[' && r->p[1] == ':') {
            after = OTHER;
            rc = class_posix(r, c);
        } else if (*r->p == '[') {
            after = OTHER;
            rc = class_in_class(r, c, depth);
        } else {
            rc = add(r, &c->members, r->p, 1);
            r->p++;
        }
        before = after;
    }
    return rc;
}

/* A side of && where nothing stands has no members. */
static int class_side(const struct rewrite *r, struct class *c)
{
    return c->members.n || c->others.n ? 0 : add_text(r, &c->others, "(?!)");
}

/* From "[" to its "]". */
static int read_class(struct rewrite *r, struct class *c, unsigned depth)
{
    enum before before = OTHER;
    int rc = 0;
    r->p++;
    if (r->p < r->end && *r->p == '^') {
        c->negated = true;
        r->p++;
    }
    if (r->p < r->end && *r->p == ']') {
        rc = add_text(r, &c->members, "\\]"); /* first, it is a member */
        r->p++;
        before = ONE;
    }
    if (rc == 0)
        rc = class_part(r, c, before, depth);
    /* A&&B&&C: (?:(?=B)(?=C)A) */
    struct text all = { 0 };
    bool more = false;
    while (rc == 0 && r->p < r->end && *r->p == '&') {
        struct class part = { .negated = false };
        more = true;
        r->p += 2;
        rc = class_part(r, &part, OTHER, depth);
        if (rc == 0)
            rc = class_side(r, &part);
        if (rc == 0)
            rc = add_text(r, &all, "(?=");
        if (rc == 0)
            rc = add_class(r, &all, &part);
        if (rc == 0)
            rc = add_text(r, &all, ")");
        class_fini(&part);
    }
    if (rc == 0 && more) {
        struct class whole = { .negated = false };
        bool negated = c->negated;
        c->negated = false;
        rc = class_side(r, c);
        if (rc == 0)
            rc = add_class(r, &all, c);
        if (rc == 0)
            rc = add_other(r, &whole, "(?:", &all, ")");
        whole.negated = negated;
        class_fini(c);
        *c = whole;
    }
    tsl_mem_free(all.p);
    if (rc < 0)
        return rc;
    if (r->p == r->end)
        return refuse(r, "a class without its ]");
    r->p++;
    return 0;
}

static int rewrite_class(struct rewrite *r)
{
    struct class c = { .negated = false };
    int rc = read_class(r, &c, 0);
    if (rc == 0)
        rc = add_class(r, &r->out, &c);
    class_fini(&c);
    return rc;
}

/* ---- the rest ---- */

/* The number at p < end, at most four digits; p where there is none. */
static const char *interval_number(const char *p, const char *end, unsigned *value)
{
    const char *from = p;
    *value = 0;
    for (; p < end && p - from < 4 && *p >= '0' && *p <= '9'; p++)
        *value = *value * 10 + (unsigned)(*p - '0');
    return p;
}

/* "{n,m}+": for Oniguruma the + repeats, for PCRE2 it forbids giving back.  "{,m}" is
 * "{0,m}" to it, and text to PCRE2. */
static int rewrite_interval(struct rewrite *r)
{
    unsigned low, high;
    const char *first = interval_number(r->p + 1, r->end, &low), *to = first;
    bool interval = to > r->p + 1, none = !interval;
    if (to < r->end && *to == ',') {
        first = ++to;
        to = interval_number(to, r->end, &high);
        if (none && to > first && to < r->end && *to == '}') {
            int rc = add_text(r, &r->out, "{0,");
            r->p = first;
            return rc;
        }
    }
    interval = interval && to < r->end && *to == '}';
    if (interval && to + 1 < r->end && to[1] == '+') {
        if (low > 1)
            return refuse(r, "a + behind {n}, n above 1, is not supported");
        r->p = to + 2;
        return add_text(r, &r->out, low == 0 ? "*" : "+");
    }
    r->p++;
    return add_text(r, &r->out, "{");
}

/* "(?im-x:" and "(?i)": Ruby's m is PCRE2's s; it has no s. */
static int rewrite_options(struct rewrite *r)
{
    const char *p = r->p + 2;
    while (p < r->end && strchr("imx-", *p))
        p++;
    if (p == r->end || p == r->p + 2 || (*p != ':' && *p != ')')) {
        r->p++;
        return add_text(r, &r->out, "(");
    }
    int rc = add_text(r, &r->out, "(?");
    for (r->p += 2; rc == 0 && r->p < p; r->p++)
        rc = add(r, &r->out, *r->p == 'm' ? "s" : r->p, 1);
    return rc;
}

static int rewrite(struct rewrite *r)
{
    int rc = 0;
    while (rc == 0 && r->p < r->end) {
        bool two = r->end - r->p > 1;
        if (*r->p == '\\') {
            rc = rewrite_escape(r);
        } else if (*r->p == '[') {
            rc = rewrite_class(r);
        } else if (*r->p == '{') {
            rc = rewrite_interval(r);
        } else if (two && r->p[0] == '(' && r->p[1] == '*') {
            return refuse(r, "a group that begins with *");
        } else if (two && r->p[0] == '(' && r->p[1] == '?') {
            rc = rewrite_options(r);
        } else {
            rc = add(r, &r->out, r->p, 1);
            r->p++;
        }
    }
    return rc;
}

/* ---- the pattern ------------------------------------------------------------------------ */

static struct tsl_quoted quote_pattern(struct tsl_slice pattern)
{
    char name[200];
    size_t n = pattern.len < sizeof name - 1 ? pattern.len : sizeof name - 1;
    memcpy(name, pattern.data, n);
    name[n] = '\0';
    return tsl_quote(name);
}

static int compile(struct tsl_splitregex *re, const char *pattern, size_t len,
                   struct tsl_err *err)
{
    int code = 0, rc = 0;
    PCRE2_SIZE at = 0;
    pcre2_general_context *memory =
        pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
    pcre2_compile_context *how = memory ? pcre2_compile_context_create(memory) : NULL;
    if (!how) {
        rc = tsl_err_nomem(err, len, "a regular expression");
        goto out;
    }
    pcre2_set_newline(how, PCRE2_NEWLINE_LF);
    /* ^ and $ are those of lines in Oniguruma. */
    re->code =
        pcre2_compile((PCRE2_SPTR)pattern, len,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                      &code, &at, how);
    if (!re->code) {
        PCRE2_UCHAR why[128];
        pcre2_get_error_message(code, why, sizeof why);
        rc = tsl_err_set(err, code == PCRE2_ERROR_HEAP_FAILED ? TSL_ENOMEM : TSL_EFORMAT,
                         "regular expression %s: near byte %zu: %s", re->name.s,
                         (size_t)at, (const char *)why);
        goto out;
    }
    (void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE); /* without it, slower */
out:
    pcre2_compile_context_free(how);
    pcre2_general_context_free(memory);
    return rc;
}

struct tsl_splitregex *tsl_splitregex_create(struct tsl_slice pattern,
                                             struct tsl_err *err)
{
    struct tsl_splitregex *re = tsl_mem_alloc(1, sizeof *re, "a regular expression", err);
    if (!re)
        return NULL;
    re->name = quote_pattern(pattern);
    struct rewrite r = { .p = (const char *)pattern.data,
                         .end = (const char *)pattern.data + pattern.len,
                         .start = (const char *)pattern.data,
                         .name = re->name.s,
                         .err = err };
    int rc;
    if (pattern.len > PATTERN_BYTES_MAX)
        rc =
            tsl_err_set(err, TSL_EFORMAT, "a regular expression of %zu bytes; at most %d",
                        pattern.len, PATTERN_BYTES_MAX);
    else
        rc = rewrite(&r);
    if (rc == 0)
        rc = compile(re, r.out.n ? r.out.p : "", r.out.n, err);
    tsl_mem_free(r.out.p);
    tsl_mem_free(r.word.p);
    if (rc < 0) {
        tsl_splitregex_destroy(re);
        return NULL;
    }
    return re;
}

void tsl_splitregex_destroy(struct tsl_splitregex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    tsl_mem_free(re);
}

/* ---- scanning --------------------------------------------------------------------------- */

int tsl_splitregex_begin(struct tsl_splitregex_scan *s, const struct tsl_splitregex *re,
                         struct tsl_slice text, struct tsl_err *err)
{
    *s = (struct tsl_splitregex_scan){ .re = re, .text = text };
    s->match = pcre2_match_data_create_from_pattern(re->code, NULL);
    return s->match ? 0 : tsl_err_nomem(err, sizeof(size_t), "a match");
}

void tsl_splitregex_end(struct tsl_splitregex_scan *s)
{
    pcre2_match_data_free(s->match);
    s->match = NULL;
}

/* pcre2_match from s->at; without JIT where its small stack does not do. */
static int match(const struct tsl_splitregex_scan *s)
{
    static const uint8_t nothing[1];
    PCRE2_SPTR text = s->text.len > 0 ? s->text.data : nothing;
    int n = pcre2_match(s->re->code, text, s->text.len, s->at, PCRE2_NO_UTF_CHECK,
                        s->match, NULL);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(s->re->code, text, s->text.len, s->at,
                        PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, s->match, NULL);
    return n;
}

int tsl_splitregex_next(struct tsl_splitregex_scan *s, size_t *begin, size_t *end,
                        struct tsl_err *err)
{
    while (s->at <= s->text.len) {
        int n = match(s);
        if (n == PCRE2_ERROR_NOMATCH)
            break;
        if (n < 0) {
            PCRE2_UCHAR why[128];
            pcre2_get_error_message(n, why, sizeof why);
            return tsl_err_set(
                err, n == PCRE2_ERROR_NOMEMORY ? TSL_ENOMEM : TSL_EFORMAT,
                "regular expression %s: on a text of %zu bytes, at byte %zu: %s",
                s->re->name.s, s->text.len, s->at, (const char *)why);
        }
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(s->match);
        *begin = at[0];
        *end = at[1];
        /* A \K is refused, but a look-ahead may have its like. */
        if (*begin < s->at || *end < *begin)
            return tsl_err_set(err, TSL_EFORMAT,
                               "regular expression %s: matches backwards", s->re->name.s);
        if (*begin < *end || !s->any || s->last_end != *end) {
            s->at = s->last_end = *end;
            s->any = true;
            return 1;
        }
        for (s->at++; s->at < s->text.len && (s->text.data[s->at] & 0xc0) == 0x80;)
            s->at++;
    }
    s->at = s->text.len + 1;
    return 0;
}
