#include "text/splitregex.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "base/quote.h"

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
/* Its \w: alphabetic, marks, decimal digits, connectors, and the numbers of Latin-1.
 * PCRE2 10.42 lacks marks and connectors, and has all of \p{N}. */
#define WORD_SET                                                                         \
    "\\p{L}\\p{M}\\p{Nl}\\p{Nd}\\p{Pc}\\xb2\\xb3\\xb9\\xbc-\\xbe\\x{24b6}-\\x{24e9}\\x{" \
    "1f130}-\\x{1f149}"                                                                  \
    "\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define HEX_SET "0-9a-fA-F"
/* Its \b is between that \w and its like. */
#define AFTER_WORD "(?<=[" WORD_SET "])"
#define NOT_AFTER_WORD "(?<![" WORD_SET "])"
#define BEFORE_WORD "(?=[" WORD_SET "])"
#define NOT_BEFORE_WORD "(?![" WORD_SET "])"

static const struct {
    char letter;
    const char *set;
} escapes[] = { { 's', SPACE_SET }, { 'w', WORD_SET }, { 'h', HEX_SET } };

struct rewrite {
    const char *p, *end, *start;
    char *out;
    size_t n, cap;
    const char *name;
    struct tsl_err *err;
};

static int emit(struct rewrite *r, const char *s, size_t n)
{
    int rc = tsl_mem_grow(&r->out, &r->cap, r->n + n, 1, "a regular expression", r->err);
    if (rc < 0)
        return rc;
    memcpy(r->out + r->n, s, n);
    r->n += n;
    return 0;
}

static int emit_text(struct rewrite *r, const char *s)
{
    return emit(r, s, strlen(s));
}

static int refuse(const struct rewrite *r, const char *why)
{
    return tsl_err_set(r->err, TSL_EFORMAT, "regular expression %s: at byte %zu: %s",
                       r->name, (size_t)(r->p - r->start), why);
}

/* An escape, within a class or not. */
static int rewrite_escape(struct rewrite *r, bool in_class)
{
    if (r->end - r->p < 2)
        return refuse(r, "a backslash at the end");
    char c = r->p[1];
    int rc = 0;
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        bool upper = c == escapes[i].letter - 'a' + 'A';
        if (c != escapes[i].letter && !upper)
            continue;
        if (in_class && upper && c == 'S')
            break; /* as PCRE2 has it: U+180E is missing */
        if (in_class && upper)
            return refuse(r, "\\W and \\H within a class are not supported");
        r->p += 2;
        if (in_class)
            return emit_text(r, escapes[i].set);
        rc = emit_text(r, upper ? "[^" : "[");
        if (rc == 0)
            rc = emit_text(r, escapes[i].set);
        return rc < 0 ? rc : emit_text(r, "]");
    }
    if (!in_class && (c == 'b' || c == 'B')) {
        r->p += 2;
        return emit_text(r, c == 'b' ? "(?:" AFTER_WORD NOT_BEFORE_WORD
                                       "|" NOT_AFTER_WORD BEFORE_WORD ")"
                                     : "(?:" AFTER_WORD BEFORE_WORD
                                       "|" NOT_AFTER_WORD NOT_BEFORE_WORD ")");
    }
    if (c == 'Q' || c == 'E' || c == 'C' || c == 'K')
        return refuse(r, "an escape that is not supported");
    rc = emit(r, r->p, 2);
    r->p += 2;
    return rc;
}

/* [:space:] and the like, within a class.  PCRE2's alpha, alnum and word are others. */
static int rewrite_posix(struct rewrite *r)
{
    static const struct {
        const char *name, *set;
    } classes[] = { { "[:space:]", SPACE_SET },   { "[:punct:]", "\\p{P}\\p{S}" },
                    { "[:digit:]", "\\p{Nd}" },   { "[:xdigit:]", HEX_SET },
                    { "[:lower:]", "[:lower:]" }, { "[:upper:]", "[:upper:]" },
                    { "[:word:]", WORD_SET } };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        size_t n = strlen(classes[i].name);
        if ((size_t)(r->end - r->p) < n || memcmp(r->p, classes[i].name, n) != 0)
            continue;
        r->p += n;
        return emit_text(r, classes[i].set);
    }
    return refuse(r, "a [:class:] that is not supported");
}

/* From "[" to its "]".  A class within it is a part of it: its members are joined. */
static int rewrite_class(struct rewrite *r, unsigned depth)
{
    int rc = 0;
    r->p++;
    if (depth == 0)
        rc = emit_text(r, "[");
    if (r->p < r->end && *r->p == '^') {
        if (depth > 0)
            return refuse(r, "a negated class within a class is not supported");
        if (rc == 0)
            rc = emit_text(r, "^");
        r->p++;
    }
    if (r->p < r->end && *r->p == ']') {
        if (rc == 0)
            rc = emit_text(r, "\\]"); /* first, it is a member */
        r->p++;
    }
    while (rc == 0 && r->p < r->end && *r->p != ']') {
        if (*r->p == '\\') {
            rc = rewrite_escape(r, true);
        } else if (r->end - r->p > 1 && r->p[0] == '[' && r->p[1] == ':') {
            rc = rewrite_posix(r);
        } else if (*r->p == '[') {
            if (depth >= 8)
                return refuse(r, "classes within classes, too deep");
            rc = rewrite_class(r, depth + 1);
        } else if (r->end - r->p > 1 && r->p[0] == '&' && r->p[1] == '&') {
            return refuse(r, "&& within a class is not supported");
        } else {
            rc = emit(r, r->p, 1);
            r->p++;
        }
    }
    if (rc < 0)
        return rc;
    if (r->p == r->end)
        return refuse(r, "a class without its ]");
    r->p++;
    return depth == 0 ? emit_text(r, "]") : 0;
}

/* The number at p < end, at most four digits; p where there is none. */
static const char *interval_number(const char *p, const char *end, unsigned *value)
{
    const char *from = p;
    *value = 0;
    for (; p < end && p - from < 4 && *p >= '0' && *p <= '9'; p++)
        *value = *value * 10 + (unsigned)(*p - '0');
    return p;
}

/* "{n,m}+": for Oniguruma the + repeats, for PCRE2 it forbids giving back. */
static int rewrite_interval(struct rewrite *r)
{
    unsigned low, high;
    const char *to = interval_number(r->p + 1, r->end, &low);
    bool interval = to > r->p + 1;
    if (to < r->end && *to == ',')
        to = interval_number(to + 1, r->end, &high);
    interval = interval && to < r->end && *to == '}';
    if (interval && to + 1 < r->end && to[1] == '+') {
        if (low > 1)
            return refuse(r, "a + behind {n}, n above 1, is not supported");
        r->p = to + 2;
        return emit_text(r, low == 0 ? "*" : "+");
    }
    r->p++;
    return emit_text(r, "{");
}

static int rewrite(struct rewrite *r)
{
    int rc = 0;
    while (rc == 0 && r->p < r->end) {
        if (*r->p == '\\') {
            rc = rewrite_escape(r, false);
        } else if (*r->p == '[') {
            rc = rewrite_class(r, 0);
        } else if (*r->p == '{') {
            rc = rewrite_interval(r);
        } else if (r->end - r->p > 1 && r->p[0] == '(' && r->p[1] == '*') {
            return refuse(r, "a group that begins with *");
        } else {
            rc = emit(r, r->p, 1);
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
        rc = compile(re, r.out ? r.out : "", r.n, err);
    tsl_mem_free(r.out);
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
