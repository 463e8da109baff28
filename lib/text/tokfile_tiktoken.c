#include "text/tokfile_tiktoken.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "text/tokfile.h"

static const struct tsl_tokfile_special r50k_specials[] = { { "<|endoftext|>", 50256 } };
static const struct tsl_tokfile_special cl100k_specials[] = {
    { "<|endoftext|>", 100257 },
    { "<|fim_prefix|>", 100258 },
    { "<|fim_middle|>", 100259 },
    { "<|fim_suffix|>", 100260 },
    { "<|endofprompt|>", 100276 }
};
static const struct tsl_tokfile_special o200k_specials[] = {
    { "<|endoftext|>", 199999 }, { "<|endofprompt|>", 200018 }
};

#define SPECIALS(a) (a), sizeof(a) / sizeof *(a)
static const struct encoding {
    const char *name;
    size_t nranks;
    enum tsl_splitpat pattern;
    const struct tsl_tokfile_special *specials;
    size_t nspecials;
} encodings[] = {
    { "r50k", 50256, TSL_SPLITPAT_GPT2, SPECIALS(r50k_specials) },
    { "gpt2", 50256, TSL_SPLITPAT_GPT2, SPECIALS(r50k_specials) },
    { "p50k", 50280, TSL_SPLITPAT_GPT2, SPECIALS(r50k_specials) },
    { "cl100k", 100256, TSL_SPLITPAT_CL100K_T, SPECIALS(cl100k_specials) },
    { "o200k", 199998, TSL_SPLITPAT_O200K, SPECIALS(o200k_specials) },
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next field of *line; empty at its end. */
static struct tsl_slice field(struct tsl_slice *line)
{
    size_t i = 0, k;
    while (i < line->len && is_blank(line->data[i]))
        i++;
    for (k = i; k < line->len && !is_blank(line->data[k]);)
        k++;
    struct tsl_slice f = { line->data + i, k - i };
    *line = (struct tsl_slice){ line->data + k, line->len - k };
    return f;
}

static bool number(struct tsl_slice s, uint32_t *out)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(s.data[i] - '0');
        if (n > UINT32_MAX)
            return false;
    }
    *out = (uint32_t)n;
    return s.len > 0;
}

/* 1: a token in buf (room for line.len) and its rank; 0: a blank line; -1: neither. */
static int parse_line(struct tsl_slice line, uint8_t *buf, size_t *len, uint32_t *rank)
{
    struct tsl_slice token = field(&line), digits = field(&line);
    int64_t n;
    if (!token.len)
        return 0;
    if (field(&line).len || !number(digits, rank) ||
        (n = tsl_tokfile_base64(token, buf)) < 1)
        return -1;
    *len = (size_t)n;
    return 1;
}

static int read_lines(struct tsl_vocab *v, struct tsl_slice text, const char *name,
                      struct tsl_err *err)
{
    struct tsl_tokfile_lines l = { .rest = text };
    struct tsl_slice line;
    uint8_t *buf = NULL;
    size_t cap = 0, len = 0;
    uint32_t rank = 0;
    int rc = 0;
    while (rc == 0 && tsl_tokfile_line(&l, &line)) {
        rc = tsl_mem_grow(&buf, &cap, line.len + 1, 1, "a token", err);
        if (rc < 0)
            break;
        int what = parse_line(line, buf, &len, &rank);
        if (what < 0)
            rc = tsl_err_set(err, TSL_EFORMAT,
                             "%s: line %" PRIu64
                             ": %s is not a token in base64, a blank and its rank",
                             name, l.number, tsl_tokfile_quote(line).s);
        if (what > 0) {
            struct tsl_err why = { 0 };
            rc = tsl_vocab_add(v, rank, (struct tsl_slice){ buf, len }, &why);
            if (rc < 0)
                tsl_err_set(err, rc, "%s: line %" PRIu64 ": %s", name, l.number, why.msg);
        }
    }
    tsl_mem_free(buf);
    return rc;
}

static int check_bytes(const struct tsl_vocab *v, const char *name, struct tsl_err *err)
{
    if (!tsl_vocab_count(v))
        return tsl_err_set(err, TSL_EFORMAT, "%s: the vocabulary has no tokens", name);
    for (unsigned b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        if (tsl_vocab_find(v, (struct tsl_slice){ &byte, 1 }) < 0)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: byte 0x%02x is not a token: the file is cut short, "
                               "or no vocabulary",
                               name, b);
    }
    return 0;
}

static int find_encoding(struct tsl_tokfile_tiktoken *t, const char *name,
                         const char *wanted, struct tsl_err *err)
{
    const struct encoding *e = encodings, *end = e + sizeof encodings / sizeof *encodings;
    size_t n = tsl_vocab_count(t->vocab);
    while (e < end && (wanted ? strcmp(e->name, wanted) != 0 : e->nranks != n))
        e++;
    if (e == end && wanted)
        return tsl_err_set(err, TSL_EUSAGE,
                           "pattern %s is not known; there are r50k, p50k, cl100k, o200k",
                           tsl_quote(wanted).s);
    if (e == end)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: %zu ranks are of no encoding that is known: its pattern "
                           "must be given (r50k, p50k, cl100k or o200k)",
                           name, n);
    t->encoding = e->name;
    t->pattern = e->pattern;
    if (e->nranks == n) {
        t->specials = e->specials;
        t->nspecials = e->nspecials;
    }
    return 0;
}

int tsl_tokfile_tiktoken_parse(struct tsl_tokfile_tiktoken *t, struct tsl_slice text,
                               const char *name, const char *encoding,
                               struct tsl_err *err)
{
    struct tsl_tokfile_tiktoken made = { .vocab = tsl_vocab_create(err) };
    if (!made.vocab)
        return TSL_ENOMEM;
    int rc = read_lines(made.vocab, text, name, err);
    if (rc == 0)
        rc = check_bytes(made.vocab, name, err);
    if (rc == 0)
        rc = find_encoding(&made, name, encoding, err);
    if (rc < 0) {
        tsl_vocab_destroy(made.vocab);
        return rc;
    }
    *t = made;
    return 0;
}

/* The two tokens that encoding token with the ranks below its own ends in; their border,
 * or 0.  Symbols end at ends[]; tokens are short, so each pass looks at all pairs. */
static size_t border(const struct tsl_vocab *v, struct tsl_slice token, uint32_t rank,
                     size_t *ends)
{
    size_t n = token.len;
    for (size_t i = 0; i < n; i++)
        ends[i] = i + 1;
    while (n > 2) {
        int64_t best = rank;
        size_t at = n;
        for (size_t i = 0; i + 1 < n; i++) {
            size_t from = i ? ends[i - 1] : 0;
            struct tsl_slice pair = { token.data + from, ends[i + 1] - from };
            int64_t found = tsl_vocab_find(v, pair);
            if (found >= 0 && found < best) {
                best = found;
                at = i;
            }
        }
        if (at == n)
            return 0;
        memmove(ends + at, ends + at + 1, (n - at - 1) * sizeof *ends);
        n--;
    }
    return ends[0];
}

int tsl_tokfile_tiktoken_merges(struct tsl_tokfile_merges *m, const struct tsl_vocab *v,
                                const char *name, struct tsl_err *err)
{
    size_t *ends = tsl_mem_alloc(tsl_vocab_longest(v) + 1, sizeof *ends, "merges", err);
    int rc = ends ? 0 : TSL_ENOMEM;
    for (uint32_t id = 0; rc == 0 && id < tsl_vocab_size(v); id++) {
        struct tsl_slice s = tsl_vocab_token(v, id);
        if (!s.data || s.len < 2)
            continue;
        size_t at = border(v, s, id, ends);
        if (!at)
            rc = tsl_err_set(err, TSL_EFORMAT,
                             "%s: the token of rank %" PRIu32
                             " is not made of two of lower rank",
                             name, id);
        else
            rc = tsl_tokfile_merges_add(m, v, (struct tsl_slice){ s.data, at },
                                        (struct tsl_slice){ s.data + at, s.len - at }, 0,
                                        name, err);
    }
    tsl_mem_free(ends);
    return rc;
}

bool tsl_tokfile_tiktoken_is(struct tsl_slice text)
{
    struct tsl_tokfile_lines l = { .rest = text };
    struct tsl_slice line;
    uint8_t buf[256];
    size_t len;
    uint32_t rank;
    while (tsl_tokfile_line(&l, &line) && line.len <= sizeof buf) {
        int what = parse_line(line, buf, &len, &rank);
        if (what)
            return what > 0;
    }
    return false;
}
