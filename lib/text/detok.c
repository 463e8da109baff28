#include "text/detok.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/bytealpha.h"
#include "text/splitregex.h"
#include "text/tokfile.h"

enum kind {
    WORDPIECE,
    BYTE_LEVEL,
    METASPACE,
    BPE,
    BYTE_FALLBACK,
    FUSE,
    STRIP,
    REPLACE,
    REPLACE_REGEX,
    CTC
};

struct step {
    enum kind kind;
    struct tsl_slice a, b; /* copies in text */
    uint8_t *text;
    bool flag;
    size_t start, stop;
    struct tsl_splitregex *regex;
};

struct tsl_detok {
    struct step *steps;
    size_t n, cap;
};

/* ---- lists ---------------------------------------------------------------------------- */

static int put(struct tsl_detok_list *l, const void *p, size_t n, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&l->bytes, &l->cap, l->len + n + 1, 1, "decoded text", err);
    if (rc == 0 && n)
        memcpy(l->bytes + l->len, p, n);
    if (rc == 0)
        l->len += n;
    return rc;
}

static int put_slice(struct tsl_detok_list *l, struct tsl_slice s, struct tsl_err *err)
{
    return put(l, s.data, s.len, err);
}

/* What has been put since the last end is a string. */
static int end(struct tsl_detok_list *l, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&l->ends, &l->ends_cap, l->n + 1, sizeof *l->ends,
                          "decoded text", err);
    if (rc == 0)
        l->ends[l->n++] = l->len;
    return rc;
}

int tsl_detok_list_add(struct tsl_detok_list *l, struct tsl_slice s, struct tsl_err *err)
{
    int rc = put_slice(l, s, err);
    return rc < 0 ? rc : end(l, err);
}

struct tsl_slice tsl_detok_list_at(const struct tsl_detok_list *l, size_t i)
{
    size_t from = i ? l->ends[i - 1] : 0;
    return (struct tsl_slice){ l->bytes + from, l->ends[i] - from };
}

void tsl_detok_list_reset(struct tsl_detok_list *l)
{
    l->len = l->n = 0;
}

void tsl_detok_list_fini(struct tsl_detok_list *l)
{
    tsl_mem_free(l->bytes);
    tsl_mem_free(l->ends);
    *l = (struct tsl_detok_list){ .n = 0 };
}

/* ---- building ------------------------------------------------------------------------- */

struct tsl_detok *tsl_detok_create(struct tsl_err *err)
{
    return tsl_mem_alloc(1, sizeof(struct tsl_detok), "a decoder", err);
}

void tsl_detok_destroy(struct tsl_detok *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++) {
        tsl_splitregex_destroy(d->steps[i].regex);
        tsl_mem_free(d->steps[i].text);
    }
    tsl_mem_free(d->steps);
    tsl_mem_free(d);
}

static int add(struct tsl_detok *d, struct step step, struct tsl_err *err)
{
    struct tsl_slice a = step.a, b = step.b;
    int rc =
        tsl_mem_grow(&d->steps, &d->cap, d->n + 1, sizeof *d->steps, "a decoder", err);
    if (rc < 0)
        return rc;
    step.text = tsl_mem_alloc(a.len + b.len + 1, 1, "a decoder", err);
    if (!step.text)
        return TSL_ENOMEM;
    if (a.len)
        memcpy(step.text, a.data, a.len);
    if (b.len)
        memcpy(step.text + a.len, b.data, b.len);
    step.a.data = step.text;
    step.b.data = step.text + a.len;
    d->steps[d->n++] = step;
    return 0;
}

int tsl_detok_add_wordpiece(struct tsl_detok *d, struct tsl_slice prefix, bool cleanup,
                            struct tsl_err *err)
{
    return add(d, (struct step){ .kind = WORDPIECE, .a = prefix, .flag = cleanup }, err);
}

int tsl_detok_add_byte_level(struct tsl_detok *d, struct tsl_err *err)
{
    return add(d, (struct step){ .kind = BYTE_LEVEL }, err);
}

int tsl_detok_add_metaspace(struct tsl_detok *d, struct tsl_slice replacement, bool never,
                            struct tsl_err *err)
{
    return add(d, (struct step){ .kind = METASPACE, .a = replacement, .flag = never },
               err);
}

int tsl_detok_add_bpe(struct tsl_detok *d, struct tsl_slice suffix, struct tsl_err *err)
{
    return add(d, (struct step){ .kind = BPE, .a = suffix }, err);
}

int tsl_detok_add_byte_fallback(struct tsl_detok *d, struct tsl_err *err)
{
    return add(d, (struct step){ .kind = BYTE_FALLBACK }, err);
}

int tsl_detok_add_fuse(struct tsl_detok *d, struct tsl_err *err)
{
    return add(d, (struct step){ .kind = FUSE }, err);
}

int tsl_detok_add_strip(struct tsl_detok *d, struct tsl_slice content, size_t start,
                        size_t stop, struct tsl_err *err)
{
    return add(d,
               (struct step){ .kind = STRIP, .a = content, .start = start, .stop = stop },
               err);
}

int tsl_detok_add_replace(struct tsl_detok *d, struct tsl_slice pattern, bool regex,
                          struct tsl_slice content, struct tsl_err *err)
{
    struct step step = { .kind = regex ? REPLACE_REGEX : REPLACE,
                         .a = pattern,
                         .b = content };
    if (!pattern.len)
        return tsl_err_set(err, TSL_EFORMAT, "Replace with an empty pattern");
    if (regex) {
        step.regex = tsl_splitregex_create(pattern, err);
        if (!step.regex)
            return err && err->code ? err->code : TSL_EFORMAT;
    }
    int rc = add(d, step, err);
    if (rc < 0)
        tsl_splitregex_destroy(step.regex);
    return rc;
}

int tsl_detok_add_ctc(struct tsl_detok *d, struct tsl_slice pad, struct tsl_slice word,
                      bool cleanup, struct tsl_err *err)
{
    return add(d, (struct step){ .kind = CTC, .a = pad, .b = word, .flag = cleanup },
               err);
}

bool tsl_detok_is_empty(const struct tsl_detok *d)
{
    return d->n == 0;
}

/* ---- steps ---------------------------------------------------------------------------- */

static struct tsl_slice text(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static bool equal(struct tsl_slice a, struct tsl_slice b)
{
    return a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
}

static bool begins(struct tsl_slice s, struct tsl_slice with)
{
    return s.len >= with.len && (!with.len || memcmp(s.data, with.data, with.len) == 0);
}

/* by in front of each character, and at the end: what replacing nothing means in Rust. */
static int spread(struct tsl_detok_list *l, size_t from, struct tsl_slice by,
                  struct tsl_err *err)
{
    size_t n = 1;
    for (size_t i = from; i < l->len; i++)
        n += (l->bytes[i] & 0xc0) != 0x80;
    int rc = by.len ? tsl_mem_grow(&l->bytes, &l->cap, l->len + n * by.len + 1, 1,
                                   "decoded text", err)
                    : 0;
    if (rc < 0 || !by.len)
        return rc;
    size_t i = l->len, to = l->len += n * by.len;
    memcpy(l->bytes + (to -= by.len), by.data, by.len);
    while (i > from) {
        uint8_t c = l->bytes[--i];
        l->bytes[--to] = c;
        if ((c & 0xc0) != 0x80)
            memcpy(l->bytes + (to -= by.len), by.data, by.len);
    }
    return 0;
}

/* Replaces what in the string that l is being given, its bytes from `from` on. */
static int replace_in(struct tsl_detok_list *l, size_t from, struct tsl_slice what,
                      struct tsl_slice by, struct tsl_err *err)
{
    if (!what.len)
        return spread(l, from, by, err);
    while (from < l->len) {
        uint8_t *at = memmem(l->bytes + from, l->len - from, what.data, what.len);
        if (!at)
            break;
        size_t i = (size_t)(at - l->bytes), tail = l->len - i - what.len;
        if (by.len > what.len) {
            int rc =
                tsl_mem_grow(&l->bytes, &l->cap, l->len + by.len, 1, "decoded text", err);
            if (rc < 0)
                return rc;
        }
        memmove(l->bytes + i + by.len, l->bytes + i + what.len, tail);
        if (by.len)
            memcpy(l->bytes + i, by.data, by.len);
        l->len = i + by.len + tail;
        from = i + by.len;
    }
    return 0;
}

static int cleanup(struct tsl_detok_list *l, size_t from, struct tsl_err *err)
{
    static const char *const pairs[][2] = {
        { " .", "." },   { " ?", "?" },     { " !", "!" },     { " ,", "," },
        { " ' ", "'" },  { " n't", "n't" }, { " 'm", "'m" },   { " do not", " don't" },
        { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    int rc = 0;
    /* each of the patterns begins with a blank */
    if (l->len == from || !memchr(l->bytes + from, ' ', l->len - from))
        return 0;
    for (size_t i = 0; rc == 0 && i < sizeof pairs / sizeof *pairs; i++)
        rc = replace_in(l, from, text(pairs[i][0]), text(pairs[i][1]), err);
    return rc;
}

static int wordpiece(const struct step *step, const struct tsl_detok_list *in,
                     struct tsl_detok_list *out, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        struct tsl_slice s = tsl_detok_list_at(in, i);
        size_t from = out->len;
        if (i && begins(s, step->a)) {
            s.data += step->a.len;
            s.len -= step->a.len;
        } else if (i) {
            rc = put(out, " ", 1, err);
        }
        if (rc == 0)
            rc = put_slice(out, s, err);
        if (rc == 0 && step->flag)
            rc = cleanup(out, from, err);
        if (rc == 0)
            rc = end(out, err);
    }
    return rc;
}

/* U+FFFD for each maximal ill-formed part. */
static int put_lossy(struct tsl_detok_list *out, struct tsl_slice s, struct tsl_err *err)
{
    int rc = 0;
    while (rc == 0 && s.len) {
        size_t good = tsl_tokfile_utf8_end(s);
        rc = put(out, s.data, good, err);
        s.data += good;
        s.len -= good;
        if (rc == 0 && s.len) {
            uint32_t cp;
            size_t n = tsl_utf8_decode(s.data, s.data + s.len, &cp);
            rc = put(out, "\xef\xbf\xbd", 3, err);
            s.data += n;
            s.len -= n;
        }
    }
    return rc;
}

/* All tokens' bytes are one string; a token with a character outside of the alphabet
 * stands for itself. */
static int byte_level(struct tsl_detok_list *in, struct tsl_detok_list *out, bool raw,
                      struct tsl_err *err)
{
    size_t n = 0;
    for (size_t i = 0, from = 0; i < in->n; i++) {
        struct tsl_slice s = { in->bytes + from, in->ends[i] - from };
        size_t len;
        from = in->ends[i];
        /* bytes are never more than what spells them: in place, n never overtakes from */
        uint8_t *to = in->bytes + n;
        bool spelled = true;
        for (size_t k = 0; spelled && k < s.len;) {
            uint32_t cp;
            k += tsl_utf8_decode(s.data + k, s.data + s.len, &cp);
            spelled = tsl_bytealpha_byte(cp) >= 0;
        }
        if (spelled && tsl_bytealpha_decode(s, to, &len)) {
            n += len;
        } else {
            memmove(to, s.data, s.len);
            n += s.len;
        }
    }
    struct tsl_slice all = { in->bytes, n };
    int rc = raw ? put_slice(out, all, err) : put_lossy(out, all, err);
    return rc < 0 ? rc : end(out, err);
}

/* Every token, what step->a is in it replaced: other in the token at odd. */
static int replace_in_each(const struct step *step, const struct tsl_detok_list *in,
                           struct tsl_detok_list *out, size_t odd, struct tsl_slice other,
                           struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        size_t from = out->len;
        rc = put_slice(out, tsl_detok_list_at(in, i), err);
        if (rc == 0)
            rc = replace_in(out, from, step->a, i == odd ? other : text(" "), err);
        if (rc == 0)
            rc = end(out, err);
    }
    return rc;
}

static int metaspace(const struct step *step, const struct tsl_detok_list *in,
                     struct tsl_detok_list *out, struct tsl_err *err)
{
    return replace_in_each(step, in, out, 0, text(step->flag ? " " : ""), err);
}

static int bpe(const struct step *step, const struct tsl_detok_list *in,
               struct tsl_detok_list *out, struct tsl_err *err)
{
    return replace_in_each(step, in, out, in->n - 1, text(""), err);
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of "<0xNN>", or -1.  Rust reads "+N" as a number, too. */
static int byte_token(struct tsl_slice s)
{
    if (s.len != 6 || memcmp(s.data, "<0x", 3) != 0 || s.data[5] != '>')
        return -1;
    int high = s.data[3] == '+' ? 0 : hex(s.data[3]), low = hex(s.data[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The run of byte tokens in *run as one string, or as U+FFFD for each byte. */
static int put_run(struct tsl_detok_list *out, struct tsl_detok_list *run, bool raw,
                   struct tsl_err *err)
{
    struct tsl_slice s = { run->bytes, run->len };
    int rc = 0;
    if (!s.len)
        return 0;
    if (raw || tsl_tokfile_utf8_end(s) == s.len)
        rc = tsl_detok_list_add(out, s, err);
    else
        for (size_t i = 0; rc == 0 && i < s.len; i++)
            rc = tsl_detok_list_add(out, text("\xef\xbf\xbd"), err);
    run->len = 0;
    return rc;
}

static int byte_fallback(const struct tsl_detok_list *in, struct tsl_detok_list *out,
                         bool raw, struct tsl_err *err)
{
    struct tsl_detok_list run = { .n = 0 };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        struct tsl_slice s = tsl_detok_list_at(in, i);
        int byte = byte_token(s);
        uint8_t b = (uint8_t)byte;
        if (byte >= 0) {
            rc = put(&run, &b, 1, err);
            continue;
        }
        rc = put_run(out, &run, raw, err);
        if (rc == 0)
            rc = tsl_detok_list_add(out, s, err);
    }
    if (rc == 0)
        rc = put_run(out, &run, raw, err);
    tsl_detok_list_fini(&run);
    return rc;
}

static int strip(const struct step *step, const struct tsl_detok_list *in,
                 struct tsl_detok_list *out, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        struct tsl_slice s = tsl_detok_list_at(in, i);
        size_t from = 0, to = s.len, n = step->a.len;
        for (size_t k = 0; k < step->start && s.len - from >= n; k++, from += n)
            if (memcmp(s.data + from, step->a.data, n) != 0)
                break;
        for (size_t k = 0; k < step->stop && to >= n; k++, to -= n)
            if (memcmp(s.data + to - n, step->a.data, n) != 0)
                break;
        if (from > to)
            rc = tsl_err_set(err, TSL_EFORMAT,
                             "Strip takes the same characters off both ends of token %s",
                             tsl_tokfile_quote(s).s);
        if (rc == 0)
            rc = tsl_detok_list_add(out, (struct tsl_slice){ s.data + from, to - from },
                                    err);
    }
    return rc;
}

static int replace_regex(const struct step *step, const struct tsl_detok_list *in,
                         struct tsl_detok_list *out, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        struct tsl_slice s = tsl_detok_list_at(in, i);
        struct tsl_splitregex_scan scan;
        size_t done = 0, from = 0, to = 0;
        if (tsl_tokfile_utf8_end(s) < s.len) { /* raw bytes: no text for a regex */
            rc = tsl_detok_list_add(out, s, err);
            continue;
        }
        rc = tsl_splitregex_begin(&scan, step->regex, s, err);
        while (rc == 0 && (rc = tsl_splitregex_next(&scan, &from, &to, err)) == 1) {
            rc = put(out, s.data + done, from - done, err);
            if (rc == 0)
                rc = put_slice(out, step->b, err);
            done = to;
        }
        tsl_splitregex_end(&scan);
        if (rc == 0)
            rc = put(out, s.data + done, s.len - done, err);
        if (rc == 0)
            rc = end(out, err);
    }
    return rc;
}

static int replace(const struct step *step, const struct tsl_detok_list *in,
                   struct tsl_detok_list *out, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        struct tsl_slice s = tsl_detok_list_at(in, i);
        const uint8_t *at;
        while (rc == 0 && s.len &&
               (at = memmem(s.data, s.len, step->a.data, step->a.len))) {
            size_t n = (size_t)(at - s.data);
            rc = put(out, s.data, n, err);
            if (rc == 0)
                rc = put_slice(out, step->b, err);
            s.data += n + step->a.len;
            s.len -= n + step->a.len;
        }
        if (rc == 0)
            rc = tsl_detok_list_add(out, s, err);
    }
    return rc;
}

static int ctc(const struct step *step, const struct tsl_detok_list *in,
               struct tsl_detok_list *out, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        struct tsl_slice s = tsl_detok_list_at(in, i);
        size_t from = out->len;
        if (i && equal(s, tsl_detok_list_at(in, i - 1)))
            continue;
        rc = put_slice(out, s, err);
        if (rc == 0)
            rc = replace_in(out, from, step->a, text(""), err);
        if (rc == 0 && step->flag)
            rc = cleanup(out, from, err);
        if (rc == 0 && step->flag)
            rc = replace_in(out, from, step->b, text(" "), err);
        if (rc == 0 && out->len > from)
            rc = end(out, err);
    }
    return rc;
}

static int join(const struct tsl_detok_list *in, struct tsl_detok_list *out,
                struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        if (i)
            rc = put(out, " ", 1, err);
        if (rc == 0)
            rc = put_slice(out, tsl_detok_list_at(in, i), err);
    }
    return rc < 0 ? rc : end(out, err);
}

static int run_step(const struct step *step, struct tsl_detok_list *in,
                    struct tsl_detok_list *out, bool raw, struct tsl_err *err)
{
    switch (step->kind) {
    case WORDPIECE: return wordpiece(step, in, out, err);
    case BYTE_LEVEL: return byte_level(in, out, raw, err);
    case METASPACE: return metaspace(step, in, out, err);
    case BPE: return bpe(step, in, out, err);
    case BYTE_FALLBACK: return byte_fallback(in, out, raw, err);
    case FUSE: {
        int rc = put(out, in->bytes, in->len, err);
        return rc < 0 ? rc : end(out, err);
    }
    case STRIP: return strip(step, in, out, err);
    case REPLACE: return replace(step, in, out, err);
    case REPLACE_REGEX: return replace_regex(step, in, out, err);
    case CTC: return ctc(step, in, out, err);
    }
    return 0;
}

int tsl_detok_run(const struct tsl_detok *d, struct tsl_detok_list *tokens,
                  struct tsl_detok_list *scratch, bool raw, struct tsl_err *err)
{
    size_t steps = d->n ? d->n : 1;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < steps; i++) {
        struct tsl_detok_list out = *scratch;
        tsl_detok_list_reset(&out);
        rc = d->n ? run_step(&d->steps[i], tokens, &out, raw, err)
                  : join(tokens, &out, err);
        *scratch = *tokens;
        *tokens = out;
    }
    return rc;
}

int tsl_detok_lossy(struct tsl_detok_list *tokens, struct tsl_detok_list *scratch,
                    struct tsl_err *err)
{
    struct tsl_detok_list out = *scratch;
    tsl_detok_list_reset(&out);
    int rc = put_lossy(&out, (struct tsl_slice){ tokens->bytes, tokens->len }, err);
    if (rc == 0)
        rc = end(&out, err);
    *scratch = *tokens;
    *tokens = out;
    return rc;
}
